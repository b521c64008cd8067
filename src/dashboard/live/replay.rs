//! What a viewer missed while they were away.

use crate::{
    error::Error,
    traffic::{LiveQuery, LiveRow, RequestFilter, Traffic},
};

/// The most rows that are sent again.
const MOST: u32 = 500;

/// The newest rows behind an id, and how many are older than those.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) rows: Vec<LiveRow>,
    /// At most so many: there are ids without a row.
    pub(super) missed: i64,
}

impl Replay {
    pub(super) async fn behind(traffic: &Traffic, id: i64, filter: &RequestFilter) -> Result<Self, Error> {
        // Where very much lies behind it, looking through all of that may take too long.
        let behind = match traffic.live(&LiveQuery::new().after(id).limit(MOST).filter(filter.clone())).await {
            Ok(behind) if behind.requests.iter().filter(|row| row.id > id).count() < MOST as usize => {
                return Ok(Self { rows: behind.requests, missed: 0 });
            }
            behind => behind.ok(),
        };
        let newest = traffic.live(&LiveQuery::new().limit(MOST).filter(filter.clone())).await?;
        let mut rows = newest.requests;
        rows.retain(|row| row.id > id);
        rows.sort_by_key(|row| row.id);
        let sent = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let last = behind.map_or(newest.cursor, |behind| behind.cursor.max(newest.cursor));
        let missed = last.saturating_sub(id).saturating_sub(sent).max(0);
        Ok(Self { rows, missed })
    }
}
