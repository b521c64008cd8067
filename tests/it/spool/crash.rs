//! A process that is killed while it emits, again and again, on the same directory.

use std::{
    thread,
    time::{Duration, Instant},
};

use tracevault::SpoolSync;

use super::{
    Dir,
    emitter::{Emitter, Orders},
    stored,
};
use crate::{
    endurance::{Random, Server, long, say},
    kit,
    support::Cluster,
};

/// How PostgreSQL fares while a process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Up,
    Down,
    Flapping,
}

/// The server, and whether it runs.
struct Sky<'c> {
    cluster: &'c mut Cluster,
    runs: bool,
}

impl Sky<'_> {
    fn turn(&mut self, to: bool, random: &mut Random) {
        if to && !self.runs {
            self.cluster.start_again().unwrap();
        } else if !to && self.runs {
            // Whatever it was doing is undone, or it was told that it ends.
            if random.below(2) == 0 { self.cluster.kill_9().unwrap() } else { self.cluster.stop().unwrap() }
        }
        self.runs = to;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_again_and_again_loses_nothing_that_it_acknowledged() {
    kit::url();
    let rounds = if long() { 200 } else { 20 };
    let mut random = Random::seeded();
    let seed = random.0;
    let begun = Instant::now();
    let mut server = Server::start(false).await;
    let tables = stored::tables(&server.sql, "spool_crash").await;
    let (dir, url) = (Dir::new(), server.cluster.connection_string());
    let mut sky = Sky { cluster: &mut server.cluster, runs: true };
    let mut acknowledged = Vec::new();
    let mut by_weather = [0; 3];
    let mut silent = 0;
    for round in 0..rounds {
        let weather = [Weather::Up, Weather::Down, Weather::Flapping][round % 3];
        sky.turn(weather != Weather::Down, &mut random);
        let sync = [SpoolSync::Always, SpoolSync::Always, SpoolSync::Interval, SpoolSync::Os][random.below(4)];
        let spill = random.below(4) == 0;
        let orders = Orders { dir: dir.path.clone(), url: url.clone(), tables: tables.clone(), round, sync, spill };
        let mut emitter = Emitter::start(&orders);
        // Now and then while it still opens the directory.
        if random.below(4) > 0 {
            let started = Instant::now();
            while emitter.heard() == 0 {
                let alive = !emitter.has_ended() && started.elapsed() < Duration::from_secs(60);
                assert!(
                    alive,
                    "round {round}, {weather:?}, {sync:?}, spill {spill}: nothing is acknowledged; seed {seed}"
                );
                // With room in memory and a server that takes everything, nothing need ever be spooled.
                if spill && started.elapsed() > Duration::from_secs(1) {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
        let until = Instant::now() + random.pause(Duration::from_millis(500));
        while weather == Weather::Flapping && Instant::now() < until {
            let to = !sky.runs;
            sky.turn(to, &mut random);
            thread::sleep(random.pause(Duration::from_millis(100)));
        }
        thread::sleep(until.saturating_duration_since(Instant::now()));
        let ids = emitter.kill_9();
        silent += usize::from(ids.is_empty());
        by_weather[round % 3] += ids.len();
        acknowledged.extend(ids);
    }
    sky.turn(true, &mut random);
    let killed = begun.elapsed();
    server.reconnect().await;
    stored::drain(&url, &dir.path, &tables).await;
    let found = stored::figures(&server.sql, &tables, &acknowledged).await;
    say(&format!(
        "kill -9 of the emitter: {rounds} rounds in {} s ({silent} before it acknowledged anything), {} acknowledged \
         ({} with the server up, {} down, {} flapping), {} stored, {} lost, 0 twice; drained and counted in {} s; seed {seed}",
        killed.as_secs(),
        found.acknowledged,
        by_weather[0],
        by_weather[1],
        by_weather[2],
        found.rows,
        found.lost.len(),
        begun.elapsed().saturating_sub(killed).as_secs(),
    ));
    found.assert(seed);
    assert!(by_weather.iter().all(|count| *count > 0), "{by_weather:?} acknowledged by weather; seed {seed}");
}
