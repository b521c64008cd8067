//! gRPC by tonic: a call is one exchange, and its trailers pass.

use std::{net::SocketAddr, pin::Pin};

use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tonic::{
    Code, Request, Response, Status,
    transport::{
        Channel, Server,
        server::{TcpConnectInfo, TcpIncoming},
    },
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};
use tracevault::http::{CapturedError, Ending, RequestAudit, RequestId};

use super::stand::Stand;

/// Knows one service, and fails for all others.
struct Known;

type Answers = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

fn serving() -> HealthCheckResponse {
    HealthCheckResponse { status: 1 }
}

#[tonic::async_trait]
impl Health for Known {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        assert!(request.extensions().get::<RequestId>().is_some());
        let audit = request.extensions().get::<RequestAudit>().expect("the layer is there");
        match &*request.get_ref().service {
            "shop" => {
                audit.actor("user_123", "user");
                Ok(Response::new(serving()))
            }
            "told" => {
                audit.error("NotFound", "no such service");
                Err(Status::not_found("told"))
            }
            "odd" => {
                let mut answer = Response::new(serving());
                answer.extensions_mut().insert(CapturedError::new("Odd", "said by an extension"));
                Ok(answer)
            }
            _ => Err(Status::not_found("unknown")),
        }
    }

    type WatchStream = Answers;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Answers>, Status> {
        let three = stream::iter([Ok(serving()), Ok(serving()), Ok(serving())]);
        Ok(Response::new(match &*request.get_ref().service {
            "three" => three.boxed(),
            "broken" => three.chain(stream::iter([Err(Status::internal("broken"))])).boxed(),
            _ => three.chain(stream::pending()).boxed(),
        }))
    }
}

async fn serve(stand: &Stand) -> SocketAddr {
    let incoming = TcpIncoming::from(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = incoming.local_addr().unwrap();
    let layer = stand.layer.clone().peer(|parts| Some(parts.extensions.get::<TcpConnectInfo>()?.remote_addr()?.ip()));
    let server = Server::builder().layer(layer).add_service(HealthServer::new(Known));
    tokio::spawn(async { server.serve_with_incoming(incoming).await.unwrap() });
    address
}

async fn client(address: SocketAddr) -> HealthClient<Channel> {
    HealthClient::new(Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap())
}

fn ask(service: &str) -> Request<HealthCheckRequest> {
    let mut request = Request::new(HealthCheckRequest { service: service.to_owned() });
    request.metadata_mut().insert("x-request-id", "from-outside".parse().unwrap());
    request
}

const CHECK: &str = "http.POST./grpc.health.v1.Health/Check";
const WATCH: &str = "http.POST./grpc.health.v1.Health/Watch";

#[tokio::test]
async fn a_call_is_one_event_and_its_outcome_is_what_the_method_says() {
    let mut stand = Stand::new("grpc").await;
    let mut client = client(serve(&stand).await).await;

    let answer = client.check(ask("shop")).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "from-outside");
    assert_eq!(answer.get_ref().status, 1);
    let ended = stand.next().await;
    assert_eq!((&ended.ending, ended.status, ended.error), (&Ending::Complete, Some(200), None));
    assert_eq!((ended.request_id.as_str(), ended.actor.unwrap().id.as_str()), ("from-outside", "user_123"));
    assert!(ended.client_ip.unwrap().is_loopback());
    // A byte for compression, four for the length, and the message.
    assert_eq!((ended.request_bytes, ended.response_bytes), (5 + 6, 5 + 2));

    // What the layer is not told it does not know.
    let status = client.check(ask("nowhere")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "unknown"));
    let ended = stand.next().await;
    assert_eq!((ended.ending, ended.status, ended.error), (Ending::Complete, Some(200), None));

    let status = client.check(ask("told")).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(stand.next().await.error.unwrap().name, "NotFound");
    client.check(ask("odd")).await.unwrap();
    assert_eq!(stand.next().await.error.unwrap().name, "Odd");

    stand.flush().await;
    let kinds: Vec<String> = stand.table.column("data ->> 'kind'").await;
    assert_eq!(kinds, ["success", "success", "error", "error"]);
    stand.stored(&[(CHECK, 200), (CHECK, 200), (CHECK, 200), (CHECK, 200)]).await;
}

#[tokio::test]
async fn a_stream_is_one_event_and_ends_with_the_stream() {
    let mut stand = Stand::new("grpc_stream").await;
    let mut client = client(serve(&stand).await).await;
    let three = client.watch(ask("three")).await.unwrap().into_inner();
    assert_eq!(three.filter(|answer| std::future::ready(answer.is_ok())).count().await, 3);
    let ended = stand.next().await;
    assert_eq!((ended.ending, ended.response_bytes), (Ending::Complete, 3 * 7));

    let broken: Vec<_> = client.watch(ask("broken")).await.unwrap().into_inner().collect().await;
    assert_eq!(broken[3].as_ref().unwrap_err().code(), Code::Internal);
    assert_eq!(stand.next().await.ending, Ending::Complete);

    let mut endless = client.watch(ask("endless")).await.unwrap().into_inner();
    endless.next().await.unwrap().unwrap();
    stand.nothing_ended();
    drop(endless);
    assert_eq!(stand.next().await.ending, Ending::AbortedInBody);
    stand.stored(&[(WATCH, 200), (WATCH, 200), (WATCH, 499)]).await;
}

#[tokio::test]
async fn trailers_pass() {
    let mut stand = Stand::new("grpc_trailers").await;
    let address = serve(&stand).await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    // A message without a field, whose service is "".
    let message = Full::new(bytes::Bytes::from_static(&[0, 0, 0, 0, 6, 0x0a, 4, b's', b'h', b'o', b'p']));
    let request = http::Request::post(format!("http://{address}/grpc.health.v1.Health/Check"));
    let request = request.header("content-type", "application/grpc").header("te", "trailers");
    let mut answer = client.request(request.body(message).unwrap()).await.unwrap();
    assert!(!answer.headers().contains_key("grpc-status"));
    let data = answer.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(data.data_ref().unwrap(), &[0, 0, 0, 0, 2, 0x08, 1][..]);
    let trailers = answer.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(trailers.trailers_ref().unwrap()["grpc-status"], "0");
    assert!(answer.body_mut().frame().await.is_none());
    assert_eq!(stand.next().await.ending, Ending::Complete);
    stand.stored(&[(CHECK, 200)]).await;
}
