//! Requests by the million: stored a batch at a time, rolled up, and counted exactly.
//!
//! `<table>` has a row for each request, in a partition for each day, and one for whatever has no day of its own.
//! A trigger marks the minutes that a statement touches, in its transaction; a pass, by one process at a time, takes
//! marks away and recomputes what they marked: totals by minute and hour; routes, statuses, errors and users by hour and
//! day. A question is answered in one snapshot: from the largest rollups without a mark, and from rows for the rest. So
//! totals are those of the rows at that moment, however late a row came and wherever a process was killed; a count that
//! is not rolled up yet only takes longer.
//!
//! Durations are kept by eight slots an octave: percentiles are within 4.5 % of the measured value of that rank. All
//! hours and days are those of UTC.
//!
//! The session lock by which one process rolls up needs a connection of its own for the length of a pass: behind a pooler
//! in transaction mode several processes may do the same work, and each step still happens one after the other.

mod builder;
mod cover;
mod ensure;
mod family;
mod histogram;
mod insert;
mod layer;
mod modes;
mod names;
mod quiet;
mod read;
mod roll;
mod row;
mod rules;
mod schema;
mod snapshot;
mod span;
mod stats;
#[expect(clippy::module_inception, reason = "the module is named for what it holds")]
mod traffic;
mod url;
mod viewers;
mod writer;

pub use self::{
    builder::TrafficBuilder,
    layer::{TrafficLayer, Untracked, from_cookie, from_header},
    modes::{IpMode, PrivacySignals, QueryMode, RouteValue, UaMode},
    read::*,
    roll::{Pass, Retention},
    row::TrafficRow,
    rules::{Seen, UserDetails},
    schema::generate_traffic_init_sql,
    stats::TrafficStats,
    traffic::Traffic,
};
