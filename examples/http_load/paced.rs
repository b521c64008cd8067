//! A client that asks at a fixed rate, whatever the answers take.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::Outcome;

/// Kept alive, each asking in its turn.
const CONNECTIONS: u32 = 16;

const REQUEST: &[u8] = b"GET /hello HTTP/1.1\r\nhost: localhost\r\nuser-agent: paced/1.0\r\naccept: */*\r\n\r\n";

/// What each answer took, from when it was to be asked for: who waits for a slow answer is not told to have asked late.
pub fn run(address: SocketAddr, rate: u32, window: Duration) -> Outcome<Vec<Duration>> {
    let began = Instant::now() + Duration::from_millis(50);
    let step = Duration::from_secs(1) / rate;
    let clients = (0..CONNECTIONS).map(|at| thread::spawn(move || ask(address, began + step * at, step, window)));
    let clients: Vec<_> = clients.collect();
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.join().map_err(|_| "a client panicked")??);
    }
    Ok(latencies)
}

fn ask(address: SocketAddr, began: Instant, step: Duration, window: Duration) -> Outcome<Vec<Duration>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut latencies = Vec::new();
    let mut due = began;
    let mut answer = [0; 4_096];
    while due < began + window {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        stream.write_all(REQUEST)?;
        let mut read = 0;
        while !answer[..read].ends_with(b"\r\n\r\nhello") {
            match stream.read(&mut answer[read..])? {
                0 => return Err("the service hung up".into()),
                more => read += more,
            }
        }
        latencies.push(due.elapsed());
        due += step * CONNECTIONS;
    }
    Ok(latencies)
}
