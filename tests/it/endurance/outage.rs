//! A server that is away while events keep coming: what waits is bounded, and stored when it is back.
//!
//! In a process of its own, whose memory is nobody else's.

use std::{
    env, fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinSet;
use tracevault::{Error, Event, Mode, RetryFor, Tracevault, WhenFull};

use super::{PATIENCE, Server, long, say, until};

const QUEUE: usize = 32 << 20;
/// What may come on top: the batch in hand, its copy on the wire, the allocator's own.
const SLACK: usize = 32 << 20;
const HOW: &str = "TRACEVAULT_TEST_OUTAGE";

async fn child(how: &'static str) {
    let mut run = Command::new(env::current_exe().unwrap());
    run.args(["--ignored", "--exact", "--nocapture", "endurance::outage::in_a_process_of_its_own"]).env(HOW, how);
    // Else each thread frees into an arena of its own, and the allocator keeps as many queues as there are threads.
    run.env("MALLOC_ARENA_MAX", "1");
    let output = tokio::task::spawn_blocking(move || run.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{how}: {said}\n{}", String::from_utf8_lossy(&output.stdout));
    let figures = said.lines().find(|line| line.starts_with("outage")).expect("the child has run");
    say(figures);
}

#[tokio::test]
async fn a_server_that_is_away_lets_emitters_wait_or_refuses_them_in_bounded_memory() {
    tokio::join!(child("wait"), child("reject"));
}

/// A figure of `/proc/self/status`, in bytes.
fn memory(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse::<usize>().unwrap() << 10
}

/// About 1 KB.
fn event(n: usize) -> Event<'static> {
    Event::new("outage").mode(Mode::Async).data(json!({ "n": n, "text": "x".repeat(960) }))
}

#[derive(Default)]
struct Count {
    accepted: AtomicUsize,
    refused: AtomicUsize,
    /// The server is there again, and makes room.
    back: AtomicBool,
    stop: AtomicBool,
}

async fn emitter(audit: Tracevault, count: Arc<Count>) {
    while !count.stop.load(Ordering::SeqCst) {
        match audit.emit(event(count.accepted.load(Ordering::SeqCst))).await {
            Ok(_) => {
                count.accepted.fetch_add(1, Ordering::SeqCst);
            }
            Err(Error::QueueFull(full)) => {
                let room = count.back.load(Ordering::SeqCst);
                assert!(full.bytes() <= QUEUE && (room || full.bytes() > QUEUE - (4 << 10)), "{full}");
                count.refused.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test above, in a process of its own"]
async fn in_a_process_of_its_own() {
    let Ok(how) = env::var(HOW) else { return };
    let waits = how == "wait";
    let outage = Duration::from_secs(if long() { 600 } else { 10 });
    let mut server = Server::start(false).await;
    let config = server.config().queue_bytes(QUEUE).queue_capacity(1 << 20).retry_for(RetryFor::Forever);
    let when_full = if waits { WhenFull::Wait } else { WhenFull::Reject };
    let audit = Tracevault::new(config.when_full(when_full)).unwrap();
    let warm_up = 1_000;
    for n in 0..warm_up {
        audit.emit(event(n)).await.unwrap();
    }
    audit.flush().await.unwrap();
    server.cluster.stop().unwrap();
    let before = memory("VmRSS");

    let count = Arc::new(Count::default());
    let mut emitters = JoinSet::new();
    for _ in 0..8 {
        emitters.spawn(emitter(audit.clone(), Arc::clone(&count)));
    }
    let begun = Instant::now();
    let is_full = |bytes: u64| bytes > (QUEUE - (4 << 10)) as u64;
    let full = until(&audit, "the queue fills", |stats| is_full(stats.queued_bytes)).await;
    let filled = begun.elapsed();
    let (full_since, mut blocked) = (Instant::now(), usize::MAX);
    // Whoever had found room before is let in.
    while count.accepted.load(Ordering::SeqCst) != blocked || audit.stats().queued != blocked as u64 {
        assert!(full_since.elapsed() < PATIENCE, "it is never full: {:?}", audit.stats());
        blocked = count.accepted.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let refused = count.refused.load(Ordering::SeqCst);
    while full_since.elapsed() < outage {
        let stats = audit.stats();
        assert!(stats.queued_bytes <= QUEUE as u64 && is_full(stats.queued_bytes), "{stats:?}");
        assert_eq!(count.accepted.load(Ordering::SeqCst), blocked, "no room, no more");
        assert_eq!((stats.failed, stats.queued), (0, blocked as u64));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(count.refused.load(Ordering::SeqCst) > refused, !waits, "who is not to wait is told");
    let mid = memory("VmHWM") - before;

    count.back.store(true, Ordering::SeqCst);
    server.cluster.start_again().unwrap();
    let back = Instant::now();
    until(&audit, "it goes on", |stats| stats.stored > full.accepted).await;
    let drained = back.elapsed();
    count.stop.store(true, Ordering::SeqCst);
    while let Some(ended) = emitters.join_next().await {
        ended.unwrap();
    }
    let closed = audit.close().await.unwrap();
    assert_eq!((closed.failed, closed.left), (0, 0));
    server.reconnect().await;
    let accepted = count.accepted.load(Ordering::SeqCst) + warm_up;
    let rows = server.number("SELECT count(*) FROM audit").await;
    assert_eq!(usize::try_from(rows).unwrap(), accepted, "rows are what was accepted");
    assert_eq!(audit.stats().stored, accepted as u64);
    let grown = memory("VmHWM") - before;
    say(&format!(
        "outage of {} s, {how}: queue full after {} ms with {blocked} events; memory grew by {} MiB, {} MiB in all; \
         {} refused; drained within {} ms of the start; {accepted} accepted, {rows} stored",
        outage.as_secs(),
        filled.as_millis(),
        mid >> 20,
        grown >> 20,
        count.refused.load(Ordering::SeqCst),
        drained.as_millis(),
    ));
    assert!(grown <= QUEUE + SLACK, "{} MiB", grown >> 20);
}
