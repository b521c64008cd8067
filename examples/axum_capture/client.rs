//! A customer's browser.

use std::net::SocketAddr;

use axum::{
    body::Body,
    http::{Method, Request, Response},
};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use crate::common::Shown;

pub(crate) struct Browser {
    name: &'static str,
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
}

impl Browser {
    pub(crate) fn of(name: &'static str, address: SocketAddr) -> Self {
        Self { name, address, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Asks, reads the answer to its end, and tells its status.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> Shown<u16> {
        let response = self.send(method, path).await?;
        let status = response.status().as_u16();
        response.into_body().collect().await?;
        Ok(status)
    }

    /// Reads one piece of the answer, and goes away.
    pub(crate) async fn hang_up_in(&self, path: &str) -> Shown {
        let mut response = self.send(Method::GET, path).await?;
        response.body_mut().frame().await.ok_or("there is no end to it")??;
        Ok(())
    }

    async fn send(&self, method: Method, path: &str) -> Shown<Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("x-customer", self.name)
            .header("user-agent", "browser/1.0");
        Ok(self.client.request(request.body(Body::empty())?).await?)
    }
}
