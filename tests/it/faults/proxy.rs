//! A TCP proxy between the crate and its server: it counts, cuts, holds back, forgets and refuses.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toward {
    Server,
    Client,
}

/// What becomes of new connections after a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Accept,
    Refuse,
}

pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    state: Mutex<State>,
    flow: watch::Sender<Flow>,
    /// How many connections there were.
    born: AtomicU64,
}

#[derive(Default)]
struct State {
    cut: Option<Cut>,
    refuses: bool,
    to_server: Vec<u8>,
    to_client: usize,
}

struct Cut {
    toward: Toward,
    left: usize,
    then: Then,
}

#[derive(Clone, Copy, Default)]
struct Flow {
    held: bool,
    /// Connections older than this stay silent for ever.
    forgotten: u64,
    /// Connections older than this are closed.
    severed: u64,
}

impl Proxy {
    /// To this port of 127.0.0.1. It ends when dropped, and with its runtime.
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Shared { state: Mutex::default(), flow: watch::Sender::default(), born: AtomicU64::new(0) };
        let shared = Arc::new(shared);
        let accepting = tokio::spawn(accept(listener, server, Arc::clone(&shared)));
        Self { port, shared, accepting }
    }

    /// A connection string for the server behind it.
    pub fn url(&self) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.port)
    }

    /// Counts from now on.
    pub fn count(&self) {
        let mut state = self.shared.state();
        (state.to_server, state.to_client) = (Vec::new(), 0);
    }

    /// How many bytes went through since then.
    pub fn counted(&self, toward: Toward) -> usize {
        let state = self.shared.state();
        match toward {
            Toward::Server => state.to_server.len(),
            Toward::Client => state.to_client,
        }
    }

    /// Whether this went to the server since then.
    pub fn heard(&self, what: &[u8]) -> bool {
        self.shared.state().to_server.windows(what.len()).any(|window| window == what)
    }

    /// Counted from now on, so many bytes go through; at the last of them (of none: at the first byte) their connection
    /// is closed on both sides.
    pub fn cut_after(&self, bytes: usize, toward: Toward, then: Then) {
        self.shared.state().cut = Some(Cut { toward, left: bytes, then });
    }

    /// Makes no cut.
    pub fn spare(&self) {
        let mut state = self.shared.state();
        (state.cut, state.refuses) = (None, false);
    }

    /// Whether the cut was made.
    pub fn has_cut(&self) -> bool {
        self.shared.state().cut.is_none()
    }

    /// Closes all connections.
    pub fn sever(&self) {
        let born = self.shared.born.load(Ordering::SeqCst);
        self.shared.flow.send_modify(|flow| flow.severed = born);
    }

    /// Closes new connections at once, or no longer.
    pub fn refuse(&self, refuses: bool) {
        self.shared.state().refuses = refuses;
    }

    /// Lets nothing through, and says so to nobody: the packets are lost.
    pub fn stall(&self) {
        self.shared.flow.send_modify(|flow| flow.held = true);
    }

    /// After a stall: what was held back goes through, as if TCP had sent it again.
    pub fn resume(&self) {
        self.shared.flow.send_modify(|flow| flow.held = false);
    }

    /// After a stall: new connections work, and the old ones stay silent for ever, as behind a router that forgot them.
    pub fn resume_for_new_ones(&self) {
        let born = self.shared.born.load(Ordering::SeqCst);
        self.shared.flow.send_modify(|flow| (flow.held, flow.forgotten) = (false, born));
    }

    /// How many connections there were.
    pub fn connections(&self) -> u64 {
        self.shared.born.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.sever();
    }
}

async fn accept(listener: TcpListener, server: u16, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if shared.state().refuses {
            continue;
        }
        let number = shared.born.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(carry(client, server, number, Arc::clone(&shared)));
    }
}

async fn carry(mut client: TcpStream, server: u16, number: u64, shared: Arc<Shared>) {
    let mut flow = shared.flow.subscribe();
    let both_ways = async {
        let _ = shared.flow.subscribe().wait_for(|flow| flow.passes(number)).await;
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            () = pump(&shared, number, Toward::Server, from_client, to_server) => {}
            () = pump(&shared, number, Toward::Client, from_server, to_client) => {}
        }
    };
    tokio::select! {
        () = both_ways => {}
        _ = flow.wait_for(|flow| number < flow.severed) => {}
    }
}

async fn pump(
    shared: &Shared,
    number: u64,
    toward: Toward,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) {
    let mut flow = shared.flow.subscribe();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or_default();
        // An end is held back like everything else.
        if flow.wait_for(|flow| flow.passes(number)).await.is_err() || read == 0 {
            return;
        }
        let (bytes, cut) = shared.let_through(toward, &buffer[..read]);
        if to.write_all(&buffer[..bytes]).await.is_err() || cut {
            return;
        }
    }
}

impl Flow {
    fn passes(&self, number: u64) -> bool {
        !self.held && number >= self.forgotten
    }
}

impl Shared {
    /// How many of these bytes go through, and whether the connection ends there.
    fn let_through(&self, toward: Toward, bytes: &[u8]) -> (usize, bool) {
        let mut state = self.state();
        let (mut through, mut ends) = (bytes.len(), false);
        if let Some(cut) = state.cut.as_mut().filter(|cut| cut.toward == toward) {
            through = through.min(cut.left);
            cut.left -= through;
            if cut.left == 0 {
                ends = true;
                let then = cut.then;
                state.cut = None;
                state.refuses |= then == Then::Refuse;
            }
        }
        match toward {
            Toward::Server => state.to_server.extend(&bytes[..through]),
            Toward::Client => state.to_client += through,
        }
        (through, ends)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}
