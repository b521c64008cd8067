//! As much of an HTTP client as the example needs.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::common::Shown;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) correlation_id: Option<String>,
}

/// One request on a connection of its own, with one header of the caller's.
pub(crate) async fn request(address: SocketAddr, method: &str, path: &str, header: &str) -> Shown<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{header}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    println!("{method:<4} {path:<19} {}", answer.lines().next().unwrap_or_default());
    let status = answer.split(' ').nth(1).ok_or("an answer begins with a status")?.parse()?;
    let correlation_id = answer.lines().find_map(|line| line.strip_prefix("x-correlation-id: ")).map(ToOwned::to_owned);
    Ok(Answer { status, correlation_id })
}
