//! Emits that are dropped half-way.

use futures_util::poll;
use tokio::time::Instant;
use tracevault::{Config, Tracevault};
use uuid::Uuid;

use super::*;

/// Of a query beside them: 50 ms, and what a loaded machine takes. One that waited for what was dropped took seconds.
const LIMIT: Duration = ms(50 + 2_000);

/// The same numbers in each run, so that a failure comes again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Some steps of the writers and of the driver, or a little time.
async fn meanwhile(random: &mut Random) {
    match random.below(4) {
        0 => tokio::time::sleep(Duration::from_micros(random.below(800))).await,
        steps => {
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn drop_many(writers: usize, seed: u64) {
    let count = if long() { 10_000 } else { 2_000 };
    let table = table(shared_cluster()).await;
    let config = Config::new(shared_cluster().connection_string()).table_name(&table.name).pool_size(2);
    // A small queue, so that some are dropped while they wait for room.
    let config = config.writers(writers).queue_capacity(4).on_error(|error, _| panic!("{error}"));
    let audit = Tracevault::new(config).unwrap();
    let mut random = Random(seed);
    let (names, mut took) = (names(count), Vec::new());
    let (mut unpolled, mut finished, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for (n, name) in names.iter().enumerate() {
        let event = named(name);
        let event = if random.below(3) == 0 { event.id(Uuid::now_v7()) } else { event };
        let mut emit = audit.emit(event);
        let polls = random.below(5);
        if polls == 0 {
            unpolled.push(name.clone());
        }
        for _ in 0..polls {
            if let std::task::Poll::Ready(answer) = poll!(&mut emit) {
                answer.unwrap();
                finished.push(name.clone());
                break;
            }
            meanwhile(&mut random).await;
        }
        // Several are under way at a time.
        kept.push(emit);
        if kept.len() > 6 {
            drop(kept.swap_remove(usize::try_from(random.below(7)).unwrap()));
        }
        if n % 50 == 49 {
            kept.clear();
            let began = Instant::now();
            audit.query().find_by_id(Uuid::nil()).await.unwrap();
            took.push(began.elapsed());
        }
    }
    drop(kept);
    took.sort();
    assert!(took[took.len() / 2] < LIMIT, "the next query took {:?} to {:?}", took[0], took[took.len() - 1]);
    let drained = audit.close().await.unwrap();
    assert_eq!((drained.failed, drained.left), (0, 0));
    let rows = rows(&table, &names).await;
    assert!(rows.values().all(|rows| *rows <= 1));
    assert!(unpolled.iter().all(|name| rows[name] == 0), "what was never polled was not emitted");
    assert!(finished.iter().all(|name| rows[name] == 1), "what was answered is there");
    let there = rows.values().sum::<i64>();
    let stats = audit.stats();
    assert_eq!((stats.accepted, stats.stored), (there.unsigned_abs(), there.unsigned_abs()), "{stats:?}");
    assert_eq!((stats.failed, stats.queued, stats.queued_bytes, stats.in_flight), (0, 0, 0, 0), "{stats:?}");
    assert!(!finished.is_empty() && there.unsigned_abs() > finished.len() as u64, "some were dropped on their way");
}

#[tokio::test]
async fn an_emit_dropped_at_any_poll_stores_one_row_or_none() {
    drop_many(1, 0x9e37_79b9_7f4a_7c15).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emit_dropped_at_any_poll_stores_one_row_or_none_with_two_writers_on_two_threads() {
    drop_many(2, 0xd1b5_4a32_d192_ed03).await;
}
