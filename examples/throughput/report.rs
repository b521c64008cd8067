//! What was measured, in medians.

use std::{collections::HashMap, time::Duration};

use crate::latency::{peak_memory, percentiles};

#[derive(Default)]
pub struct Report {
    /// In the order of the first round.
    names: Vec<String>,
    rates: HashMap<String, Vec<f64>>,
    latencies: HashMap<String, Vec<Duration>>,
}

impl Report {
    pub fn rate(&mut self, name: &str, events_a_second: f64) {
        if !self.rates.contains_key(name) {
            self.names.push(name.to_owned());
        }
        self.rates.entry(name.to_owned()).or_default().push(events_a_second);
    }

    pub fn latencies(&mut self, name: &str, latencies: Vec<Duration>) {
        self.latencies.entry(name.to_owned()).or_default().extend(latencies);
    }

    /// The median of the rounds' ratios to that way.
    fn ratio(&self, name: &str, to: &str) -> f64 {
        median(self.rates[name].iter().zip(&self.rates[to]).map(|(rate, base)| rate / base))
    }

    pub fn json(&self) -> serde_json::Value {
        let rate = |name: &String| (name.clone(), median(self.rates[name].iter().copied()).round().into());
        serde_json::Value::Object(self.names.iter().map(rate).collect())
    }

    pub fn print(&self) {
        println!("{:<18} {:>9} {:>10} {:>8} {:>8} {:>8}", "", "events/s", "baseline", "COPY", "p50 ms", "p99 ms");
        for name in &self.names {
            let rate = median(self.rates[name].iter().copied());
            let (base, copy) = (self.ratio(name, "baseline"), self.ratio(name, "copy_one_shot"));
            print!("{name:<18} {rate:>9.0} {base:>9.2}x {copy:>7.2}x");
            if let Some(latencies) = self.latencies.get(name) {
                let [p50, p99] = percentiles(latencies.clone());
                print!(" {p50:>8.2} {p99:>8.2}");
            }
            println!();
        }
        if self.rates.contains_key("spool_64") {
            let (accepted, stored) =
                (self.ratio("spool_64", "async_64"), self.ratio("spool_64_stored", "async_64_stored"));
            println!("spool to memory queue, 64 callers: accepted {accepted:.2}x, stored {stored:.2}x");
            println!("async_64, spool_…: until the last receipt; …_stored: until the last row");
            println!("disk_fsync: 700 bytes appended to a file beside the spool, and fdatasync, one after the other");
        }
        println!("baseline: one prepared INSERT a statement, plain tokio-postgres, one connection");
        println!("COPY: all rows in one binary COPY, encoded while they are sent");
        if let Some(memory) = peak_memory() {
            println!("peak memory of this process: {memory} MiB");
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
