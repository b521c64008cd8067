//! The request's body: counted and hashed as the handler reads it, and handed on as it was.

use std::{convert::Infallible, io};

use bytes::{Buf, Bytes};
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full, StreamBody};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tracevault::http::{BodyHash, CaptureLayer, Exchange, RequestBody};

use super::stand::Kept;

/// `SELECT encode(sha256('hello world'), 'hex')`
const HELLO_WORLD: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

/// The exchange of a handler that reads this many frames of the body, and answers with 500.
async fn after<B>(layer: impl Fn(CaptureLayer<Kept>) -> CaptureLayer<Kept>, body: B, frames: usize) -> Exchange
where
    B: Body<Error: std::fmt::Debug, Data: std::fmt::Debug> + Unpin,
{
    let kept = Kept::default();
    let service = layer(CaptureLayer::with_sink(kept.clone())).layer(service_fn(
        |mut asked: Request<RequestBody<B>>| async move {
            for _ in 0..frames {
                let _ = asked.body_mut().frame().await;
            }
            let head = Response::builder().status(500);
            Ok::<_, Infallible>(head.body(Full::new(Bytes::new())).unwrap())
        },
    ));
    service.oneshot(Request::new(body)).await.unwrap();
    let mut exchanges = kept.take();
    assert_eq!(exchanges.len(), 1);
    exchanges.remove(0)
}

fn hello() -> impl Body<Data = Bytes, Error = io::Error> + Unpin {
    pieces([Ok("hello"), Ok(" "), Ok("world")])
}

fn pieces<const N: usize>(pieces: [io::Result<&'static str>; N]) -> impl Body<Data = Bytes, Error = io::Error> + Unpin {
    let frames = pieces.map(|piece| piece.map(|text| Frame::data(Bytes::from_static(text.as_bytes()))));
    StreamBody::new(futures_util::stream::iter(frames))
}

#[tokio::test]
async fn a_body_that_was_read_to_its_end_has_its_hash() {
    for frames in [4, 5] {
        let exchange = after(|layer| layer, hello(), frames).await;
        assert_eq!((exchange.request_bytes, exchange.request_body_hash.as_deref()), (11, Some(HELLO_WORLD)));
    }
    let known = after(|layer| layer, Full::new(Bytes::from_static(b"hello world")), 1).await;
    assert_eq!((known.request_bytes, known.request_body_hash.as_deref()), (11, Some(HELLO_WORLD)));
}

#[tokio::test]
async fn a_body_that_was_not_read_or_cut_off_has_none() {
    for (frames, bytes) in [(0, 0), (1, 5), (3, 11)] {
        let exchange = after(|layer| layer, hello(), frames).await;
        assert_eq!((exchange.request_bytes, exchange.request_body_hash), (bytes, None), "{frames}");
    }
    let cut = pieces([Ok("hello"), Err(io::Error::other("reset"))]);
    let exchange = after(|layer| layer, cut, 5).await;
    assert_eq!((exchange.request_bytes, exchange.request_body_hash), (5, None));
    let empty = after(|layer| layer, Full::new(Bytes::new()), 2).await;
    assert_eq!((empty.request_bytes, empty.request_body_hash), (0, None));
}

#[tokio::test]
async fn no_hash_is_made_where_it_is_off() {
    let exchange = after(|layer| layer.body_hash(BodyHash::Off), hello(), 4).await;
    assert_eq!((exchange.request_bytes, exchange.request_body_hash), (11, None));
}

/// Data in as many pieces as there are bytes.
#[derive(Debug)]
struct Scattered(&'static [u8], bool);

impl Buf for Scattered {
    fn remaining(&self) -> usize {
        self.0.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.0[..self.0.len().min(1)]
    }

    fn advance(&mut self, count: usize) {
        self.0 = &self.0[count..];
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [io::IoSlice<'a>]) -> usize {
        let pieces = self.0.chunks(1).take(if self.1 { slices.len() } else { 1 });
        pieces.zip(slices).map(|(piece, slice)| *slice = io::IoSlice::new(piece)).count()
    }
}

#[tokio::test]
async fn scattered_data_is_hashed_where_all_of_it_can_be_seen() {
    for (vectored, hash) in [(true, Some(HELLO_WORLD)), (false, None)] {
        let exchange = after(|layer| layer, Full::new(Scattered(b"hello world", vectored)), 1).await;
        assert_eq!((exchange.request_bytes, exchange.request_body_hash.as_deref()), (11, hash));
    }
}

#[tokio::test]
async fn the_handler_sees_the_body_as_it_is() {
    let trailers = http::HeaderMap::from_iter([(http::header::ETAG, "\"x\"".parse().unwrap())]);
    let frames = [Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"abc"))), Ok(Frame::trailers(trailers))];
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let service = CaptureLayer::with_sink(Kept::default()).layer(service_fn(|asked: Request<RequestBody<_>>| async {
        let hint = asked.body().size_hint();
        let collected = asked.into_body().collect().await?;
        assert_eq!(hint.exact(), None);
        assert_eq!(collected.trailers().unwrap()[http::header::ETAG], "\"x\"");
        Ok::<_, Infallible>(Response::new(Full::new(collected.to_bytes())))
    }));
    let response = service.oneshot(Request::new(body)).now_or_never().unwrap().unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "abc");
}
