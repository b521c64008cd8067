//! What was measured, as a table of the rounds' medians.

use std::time::Duration;

use crate::{services::Service, storage::Stored};

pub struct Report {
    window: Duration,
    rounds: u32,
    /// Of each round the 50th and the 99th percentile, in milliseconds.
    waited: Vec<(Service, [f64; 2])>,
    saturated: Vec<(Service, f64, Stored)>,
}

impl Report {
    pub fn new(window: Duration, rounds: u32) -> Self {
        Self { window, rounds, waited: Vec::new(), saturated: Vec::new() }
    }

    pub fn waited(&mut self, service: Service, mut latencies: Vec<Duration>) {
        latencies.sort_unstable();
        let percentile = |percent: usize| latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)];
        self.waited.push((service, [50, 99].map(|percent| percentile(percent).as_secs_f64() * 1e3)));
    }

    pub fn saturated(&mut self, service: Service, rate: f64, stored: Stored) {
        self.saturated.push((service, rate, stored));
    }

    pub fn print(&self, rate: u32) {
        println!("{} rounds of {} s each, the services in turn\n", self.rounds, self.window.as_secs());
        println!("{:<12} {:>19} {:>37}", "", format!("at {rate} requests/s"), "as fast as it goes");
        println!(
            "{:<12} {:>9} {:>9} {:>12} {:>7} {:>9} {:>7}",
            "", "p50 ms", "p99 ms", "requests/s", "of bare", "stored/s", "lost"
        );
        for service in Service::ALL {
            let waited = || self.waited.iter().filter(|(of, _)| *of == service);
            let [p50, p99] = [0, 1].map(|at| median(waited().map(|(_, waited)| waited[at])));
            let rate = self.rate(service);
            let of_bare = rate / self.rate(Service::Bare);
            print!("{:<12} {p50:>9.2} {p99:>9.2} {rate:>12.0} {of_bare:>7.2}", service.name());
            if service == Service::Tracevault {
                let stored = || self.saturated.iter().filter(|(of, ..)| *of == service).map(|(.., stored)| stored);
                let (lost, captured) = stored().fold((0, 0), |sum, of| (sum.0 + of.lost, sum.1 + of.captured));
                print!(" {:>9.0} {:>6}%", median(stored().map(|stored| stored.rate)), lost * 100 / (lost + captured));
            }
            println!();
        }
        println!("\nlost: the queue was full, and the answer went out all the same; `CaptureStats::lost` counted each");
    }

    /// Requests a second.
    fn rate(&self, service: Service) -> f64 {
        median(self.saturated.iter().filter(|(of, ..)| *of == service).map(|(_, rate, _)| *rate))
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
