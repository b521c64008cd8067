//! Visitors: requests to the site itself, over its socket.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{dice::Dice, world::PEOPLE};

/// Asks for a path, with these lines in the head; the whole answer, head and body.
pub async fn ask(address: SocketAddr, path: &str, lines: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{lines}\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A few requests a second, for as long as the site is there.
pub async fn go_on(address: SocketAddr) {
    let mut dice = Dice::new();
    loop {
        tokio::time::sleep(Duration::from_millis(120 + dice.below(700))).await;
        let number = dice.below(900);
        let path = match dice.below(40) {
            0 => "/api/slow".to_owned(),
            1 => "/api/error".to_owned(),
            2 => format!("/wp-login.php?{number}"),
            3..14 => format!("/api/users/{number}"),
            _ => format!("/api/products?page={number}"),
        };
        let (id, ..) = dice.of(&PEOPLE);
        let lines = format!("X-User-Id: {id}\r\nX-Session-Id: s_{id}\r\nUser-Agent: demo/1.0\r\n");
        // Nobody waits for a slow one.
        tokio::spawn(async move { ask(address, &path, &lines).await });
    }
}
