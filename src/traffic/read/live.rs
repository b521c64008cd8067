//! The latest requests.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio_postgres::{Row, types::Type};

use super::{
    super::{row::TrafficRow, snapshot::Snapshot, traffic::Traffic},
    filter::RequestFilter,
    range::{read_rfc3339, rfc3339},
};
use crate::error::{Error, ValidationError};

/// A request of a list, and the payload of the event `traffic:new-request`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LiveRow {
    /// The row's id. Later rows mostly have greater ones.
    pub id: i64,
    /// Who asked.
    pub user_id: Option<String>,
    /// In which session.
    pub session_id: Option<String>,
    /// Its method.
    pub method: String,
    /// Its route.
    pub route: String,
    /// What was asked for.
    pub original_url: String,
    /// What was answered.
    pub status_code: i16,
    /// How long it took.
    pub duration_ms: i32,
    /// Whether that is slow.
    pub is_slow: bool,
    /// When it was stored.
    #[serde(serialize_with = "rfc3339", deserialize_with = "read_rfc3339")]
    pub created_at: OffsetDateTime,
}

impl LiveRow {
    pub(in crate::traffic) fn of(row: &TrafficRow, id: i64, created_at: OffsetDateTime) -> Self {
        Self {
            id,
            user_id: row.user_id.clone(),
            session_id: row.session_id.clone(),
            method: row.method.clone(),
            route: row.route.clone(),
            original_url: row.original_url.clone(),
            status_code: row.status_code,
            duration_ms: i32::try_from(row.duration_us / 1_000).unwrap_or(i32::MAX),
            is_slow: row.is_slow,
            created_at,
        }
    }

    /// By position, in the order of [`COLUMNS`].
    pub(super) fn read(snapshot: &Snapshot<'_>, row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: snapshot.get(row, 0)?,
            user_id: snapshot.get(row, 1)?,
            session_id: snapshot.get(row, 2)?,
            method: snapshot.get(row, 3)?,
            route: snapshot.get(row, 4)?,
            original_url: snapshot.get(row, 5)?,
            status_code: snapshot.get(row, 6)?,
            duration_ms: snapshot.get(row, 7)?,
            is_slow: snapshot.get(row, 8)?,
            created_at: snapshot.get(row, 9)?,
        })
    }
}

impl std::fmt::Debug for LiveRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveRow").field("id", &self.id).finish_non_exhaustive()
    }
}

pub(super) const COLUMNS: &str = "id, user_id, session_id, method, route, original_url, status_code, duration_ms, \
                                  is_slow, created_at";

/// So many ids behind a cursor are looked at again.
const OVERLAP: i64 = 10_000;

/// Which of the latest requests are meant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LiveQuery {
    /// Only rows behind this id, the oldest first; without it the newest rows, the newest first.
    pub after: Option<i64>,
    /// The most of them: 1 to 500.
    pub limit: u32,
    /// Conditions.
    pub filter: RequestFilter,
}

impl LiveQuery {
    /// The newest hundred.
    pub fn new() -> Self {
        Self { after: None, limit: 100, filter: RequestFilter::default() }
    }

    /// Behind this cursor.
    #[must_use]
    pub fn after(mut self, cursor: i64) -> Self {
        self.after = Some(cursor);
        self
    }

    /// At most so many: 1 to 500.
    #[must_use]
    pub fn limit(mut self, rows: u32) -> Self {
        self.limit = rows;
        self
    }

    /// Under these conditions.
    #[must_use]
    pub fn filter(mut self, filter: RequestFilter) -> Self {
        self.filter = filter;
        self
    }
}

impl Default for LiveQuery {
    fn default() -> Self {
        Self::new()
    }
}

/// Some requests.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Live {
    /// The requests.
    pub requests: Vec<LiveRow>,
    /// For the next question.
    pub cursor: i64,
}

/// All of one request.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RequestDetail {
    /// What lists show.
    #[serde(flatten)]
    pub row: LiveRow,
    /// When it came in.
    #[serde(serialize_with = "rfc3339")]
    pub started_at: OffsetDateTime,
    /// When its answer ended.
    #[serde(serialize_with = "rfc3339")]
    pub ended_at: OffsetDateTime,
    /// Who asked, by name.
    pub user_name: Option<String>,
    /// Who asked, by e-mail address.
    pub user_email: Option<String>,
    /// From where.
    pub ip: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// What ties it to audit events.
    pub request_id: Option<String>,
    /// How many requests it stands for.
    pub weight: i32,
}

impl std::fmt::Debug for RequestDetail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestDetail").field("row", &self.row).finish_non_exhaustive()
    }
}

impl Traffic {
    /// The latest requests. Rows are committed out of the order of their ids: behind a cursor, those of the five seconds
    /// before its row come again, the newest and at most as many as the limit, and whoever shows them leaves out the ids
    /// that it has. Of requests that took longer than two days, nothing comes behind a cursor.
    ///
    /// # Errors
    /// `Validation` when the limit is not from 1 to 500; `Driver`.
    ///
    /// # Cancel safety
    /// Dropping it abandons the question, and its connection.
    pub async fn live(&self, query: &LiveQuery) -> Result<Live, Error> {
        if !(1..=500).contains(&query.limit) {
            return Err(ValidationError::new("limit", "must be from 1 to 500").into());
        }
        let snapshot = Snapshot::open(&self.0).await?;
        let bound = query.filter.bound();
        let (after, limit) = (query.after.unwrap_or_default().max(i64::MIN + OVERLAP), i64::from(query.limit));
        let mut params = bound.params();
        params.extend([(&limit as &_, Type::INT8), (&after as &_, Type::INT8)]);
        let filter = bound.sql();
        let sql = match query.after {
            None => format!(
                "SELECT {COLUMNS} FROM \"traffic_logs\" WHERE {filter} \
                 ORDER BY started_at DESC, id DESC LIMIT $5"
            ),
            // New ones first, so that repeated ones never take all of the room. The seconds count from the cursor's row,
            // not from now: whoever looks away for a minute has not seen what was committed meanwhile.
            Some(_) => format!(
                "SELECT {COLUMNS} FROM ((SELECT {COLUMNS} FROM \"traffic_logs\" WHERE id > $6 \
                 AND started_at > now() - interval '48 hours' AND {filter} ORDER BY id LIMIT $5) \
                 UNION ALL (SELECT {COLUMNS} FROM \"traffic_logs\" WHERE id < $6 AND id > $6 - {OVERLAP} \
                 AND started_at > now() - interval '48 hours' AND created_at > coalesce((SELECT created_at \
                 FROM \"traffic_logs\" WHERE id = $6 AND started_at > now() - interval '48 hours'), now()) \
                 - interval '5 s' AND {filter} ORDER BY id DESC LIMIT $5)) AS both_parts ORDER BY id"
            ),
        };
        let rows = snapshot.rows(&sql, &params).await?;
        let requests: Vec<_> = rows.iter().map(|row| LiveRow::read(&snapshot, row)).collect::<Result<_, _>>()?;
        let mut cursor = requests.iter().map(|row| row.id).max().unwrap_or_default().max(after);
        // Nothing is left behind: what is rare must not be looked for from its last row on, again and again.
        if requests.len() < query.limit as usize {
            let newest = "SELECT max(id) FROM (SELECT id FROM \"traffic_logs\" ORDER BY started_at DESC, id DESC LIMIT 100) AS one";
            for row in snapshot.rows(newest, &[]).await? {
                cursor = snapshot.get::<Option<i64>>(&row, 0)?.unwrap_or_default().max(cursor);
            }
        }
        snapshot.end().await?;
        Ok(Live { requests, cursor })
    }

    /// All of one request, by the id of its row.
    ///
    /// # Errors
    /// `Driver`.
    ///
    /// # Cancel safety
    /// As for [`live`](Self::live).
    pub async fn request(&self, id: i64) -> Result<Option<RequestDetail>, Error> {
        Ok(self.details("id = $1", (&id, Type::INT8)).await?.pop())
    }

    /// The requests with this request id that began up to an hour before this moment, or a minute after it: what belongs
    /// to an audit event of that moment. At most 20.
    ///
    /// # Errors
    /// `Driver`.
    ///
    /// # Cancel safety
    /// As for [`live`](Self::live).
    pub async fn requests_of(&self, request_id: &str, at: OffsetDateTime) -> Result<Vec<RequestDetail>, Error> {
        let at = super::super::span::micros(at);
        let span = super::super::span::Span { from: at - 3_600_000_000, to: at + 60_000_000 };
        let when = super::super::span::within("started_at", &[span]);
        let id = super::super::quiet::Quiet(request_id);
        self.details(&format!("request_id = $1 AND {when}"), (&id, Type::TEXT)).await
    }

    async fn details(
        &self,
        condition: &str,
        param: super::super::snapshot::Param<'_>,
    ) -> Result<Vec<RequestDetail>, Error> {
        let snapshot = Snapshot::open(&self.0).await?;
        let sql = format!(
            "SELECT {COLUMNS}, started_at, ended_at, user_name, user_email, ip, user_agent, request_id, weight \
             FROM \"traffic_logs\" WHERE {condition} ORDER BY started_at DESC, id DESC LIMIT 20"
        );
        let rows = snapshot.rows(&sql, &[param]).await?;
        let detail = |row: &Row| -> Result<RequestDetail, Error> {
            Ok(RequestDetail {
                row: LiveRow::read(&snapshot, row)?,
                started_at: snapshot.get(row, 10)?,
                ended_at: snapshot.get(row, 11)?,
                user_name: snapshot.get(row, 12)?,
                user_email: snapshot.get(row, 13)?,
                ip: snapshot.get(row, 14)?,
                user_agent: snapshot.get(row, 15)?,
                request_id: snapshot.get(row, 16)?,
                weight: snapshot.get(row, 17)?,
            })
        };
        let details = rows.iter().map(detail).collect::<Result<_, _>>()?;
        snapshot.end().await?;
        Ok(details)
    }
}
