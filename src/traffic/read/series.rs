//! Totals by time.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;

use super::{
    super::{
        cover::{Cover, Horizons, Level, Marks},
        histogram::Histogram,
        snapshot::Snapshot,
        span::{Span, moment},
    },
    range::rfc3339,
    sql,
};
use crate::error::Error;

/// A stretch of a timeline.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TimelineBucket {
    /// Its begin. The first and the last may be cut by the range.
    #[serde(serialize_with = "rfc3339")]
    pub at: OffsetDateTime,
    /// Requests.
    pub count: i64,
    /// With a status from 200 to 299.
    pub success: i64,
    /// From 300 to 399.
    pub redirect: i64,
    /// From 400 to 499.
    pub client_error: i64,
    /// From 500 on.
    pub server_error: i64,
    /// Slow ones.
    pub slow_count: i64,
    /// The mean duration.
    pub average_duration_ms: Option<f64>,
    /// Half of them were as quick.
    pub p50_ms: Option<f64>,
    /// 95 of 100 were as quick.
    pub p95_ms: Option<f64>,
}

/// Sums of a stretch.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) n: i64,
    pub(super) classes: [i64; 4],
    pub(super) slow: i64,
    pub(super) sum_us: f64,
    pub(super) max_us: i64,
    durations: Histogram,
}

impl Sums {
    pub(super) fn errors(&self) -> i64 {
        self.classes[2] + self.classes[3]
    }

    pub(super) fn average_ms(&self) -> Option<f64> {
        mean_ms(self.sum_us, self.n)
    }

    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        self.durations.quantile(share, self.max_us)
    }

    fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.classes.iter_mut().zip(other.classes).for_each(|(sum, class)| *sum += class);
        self.slow += other.slow;
        self.sum_us += other.sum_us;
        self.max_us = self.max_us.max(other.max_us);
        self.durations.merge(&other.durations);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a mean")]
pub(super) fn mean_ms(sum_us: f64, n: i64) -> Option<f64> {
    (n > 0).then(|| sum_us / n as f64 / 1_000.0)
}

/// The length of a bucket, in seconds: of few that people know, the first that makes at most 300 of them.
pub(super) fn bucket(span: Span, horizons: &Horizons) -> i64 {
    const LENGTHS: [i64; 6] = [60, 300, 900, 3_600, 21_600, 86_400];
    let fits = |length: &&i64| (span.to - span.from) / (**length * 1_000_000) <= 300;
    let length = LENGTHS.iter().find(fits).copied().unwrap_or(86_400);
    // Where only hours are left.
    if span.from < horizons.raw { length.max(3_600) } else { length }
}

/// Where totals are read from: those by the hour are kept as long as days are.
pub(super) fn cover(snapshot: &Snapshot<'_>, span: Span, marks: &Marks, bucket: i64) -> Cover {
    let horizons = Horizons { hour: snapshot.horizons().day, ..*snapshot.horizons() };
    let levels: &[Level] = if bucket >= 3_600 { &[Level::Hour, Level::Minute] } else { &[Level::Minute] };
    Cover::of(span, levels, marks, &horizons)
}

/// The sums of each bucket, by its number since 1970.
pub(super) async fn sums(snapshot: &Snapshot<'_>, cover: &Cover, bucket: i64) -> Result<BTreeMap<i64, Sums>, Error> {
    let number = format!("floor(extract(epoch FROM at) / {bucket})::bigint");
    let totals = format!(
        "SELECT {number}, sum(n)::bigint, sum(n2)::bigint, sum(n3)::bigint, sum(n4)::bigint, sum(n5)::bigint, \
         sum(slow_n)::bigint, sum(sum_us)::float8, max(max_us) FROM ({}) AS cells GROUP BY 1",
        sql::totals(cover)
    );
    let mut all = BTreeMap::new();
    for row in snapshot.rows(&totals, &[]).await? {
        let get = |at| snapshot.get::<i64>(&row, at);
        let sums = Sums {
            n: get(1)?,
            classes: [get(2)?, get(3)?, get(4)?, get(5)?],
            slow: get(6)?,
            sum_us: snapshot.get(&row, 7)?,
            max_us: get(8)?,
            durations: Histogram::default(),
        };
        all.insert(get(0)?, sums);
    }
    let slots = format!("SELECT {number}, slots, counts FROM ({}) AS cells", sql::total_slots(cover, bucket));
    for row in snapshot.rows(&slots, &[]).await? {
        let sums: &mut Sums = all.entry(snapshot.get(&row, 0)?).or_default();
        snapshot.add_slots(&row, 1, &mut sums.durations)?;
    }
    Ok(all)
}

pub(super) fn whole(all: &BTreeMap<i64, Sums>) -> Sums {
    let mut whole = Sums::default();
    for sums in all.values() {
        whole.add(sums);
    }
    whole
}

/// Every bucket of the range, empty ones too.
pub(super) fn timeline(all: &BTreeMap<i64, Sums>, span: Span, bucket: i64) -> Vec<TimelineBucket> {
    let size = bucket * 1_000_000;
    let none = Sums::default();
    let one = |number: i64| {
        let sums = all.get(&number).unwrap_or(&none);
        let [success, redirect, client_error, server_error] = sums.classes;
        TimelineBucket {
            at: moment(number * size),
            count: sums.n,
            success,
            redirect,
            client_error,
            server_error,
            slow_count: sums.slow,
            average_duration_ms: sums.average_ms(),
            p50_ms: sums.quantile(0.5),
            p95_ms: sums.quantile(0.95),
        }
    };
    if span.from >= span.to {
        return Vec::new();
    }
    (span.from.div_euclid(size)..=(span.to - 1).div_euclid(size)).map(one).collect()
}
