//! One user: what they asked, with what, from where.

use serde::Serialize;
use time::OffsetDateTime;
use tokio_postgres::{Row, types::Type};

use super::{
    super::{
        quiet::Quiet,
        snapshot::{Param, Snapshot},
        span::literal,
        traffic::Traffic,
    },
    range::{Range, RangeShown, rfc3339, some_rfc3339},
    series::mean_ms,
};
use crate::error::Error;

/// Who it is.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UserHead {
    /// The id.
    pub id: String,
    /// The name.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The first request, whatever the range; a minute may pass until somebody new has one.
    #[serde(serialize_with = "some_rfc3339")]
    pub first_seen: Option<OffsetDateTime>,
    /// The last one, whatever the range.
    #[serde(serialize_with = "some_rfc3339")]
    pub last_seen: Option<OffsetDateTime>,
}

/// A route that they asked for.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UserRoute {
    /// The method.
    pub method: String,
    /// The route.
    pub route: String,
    /// Requests; of slow routes, slow ones.
    pub count: i64,
    /// The mean duration of these.
    pub average_duration_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// Those with a status from 400 on.
    pub error_count: i64,
    /// When the last one came in.
    #[serde(serialize_with = "rfc3339")]
    pub last_seen: OffsetDateTime,
}

/// A route that failed for them.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UserErrorRoute {
    /// The method.
    pub method: String,
    /// The route.
    pub route: String,
    /// The status.
    pub status_code: i16,
    /// Requests.
    pub count: i64,
    /// When the last one came in.
    #[serde(serialize_with = "rfc3339")]
    pub last_seen: OffsetDateTime,
}

/// A user agent of theirs.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Device {
    /// As it is kept.
    pub user_agent: String,
    /// Requests.
    pub count: i64,
    /// When the last one came in.
    #[serde(serialize_with = "rfc3339")]
    pub last_seen: OffsetDateTime,
}

/// An address of theirs.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct IpAddress {
    /// As it is kept.
    pub ip: String,
    /// Requests.
    pub count: i64,
    /// When the last one came in.
    #[serde(serialize_with = "rfc3339")]
    pub last_seen: OffsetDateTime,
}

/// A session of theirs.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Session {
    /// The id.
    pub session_id: String,
    /// Requests.
    pub count: i64,
    /// When the first one came in.
    #[serde(serialize_with = "rfc3339")]
    pub first_seen: OffsetDateTime,
    /// When the last one came in.
    #[serde(serialize_with = "rfc3339")]
    pub last_seen: OffsetDateTime,
}

/// One user. Each list has at most 100 entries, those with the most requests first.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UserDetail {
    /// What was counted.
    pub range: RangeShown,
    /// Who it is.
    pub user: UserHead,
    /// Requests in the range.
    pub count: i64,
    /// Whether only the latest 100,000 rows of the range were counted.
    pub truncated: bool,
    /// All routes.
    pub routes: Vec<UserRoute>,
    /// Routes with slow requests, and these alone.
    pub slow_routes: Vec<UserRoute>,
    /// Routes with errors.
    pub error_routes: Vec<UserErrorRoute>,
    /// User agents; none where they are not kept.
    pub devices: Vec<Device>,
    /// Addresses; none where they are not kept.
    pub ip_addresses: Vec<IpAddress>,
    /// Sessions.
    pub sessions: Vec<Session>,
}

/// What stands in the lists is the users' own.
macro_rules! quiet {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}
quiet!(UserHead, UserRoute, UserErrorRoute, Device, IpAddress, Session, UserDetail);

/// The most rows of one user that are looked at.
const MOST: i64 = 100_000;

impl Traffic {
    /// One user, from rows. `None` where there is nothing of them at all, in the range or before.
    ///
    /// # Errors
    /// `Driver`.
    ///
    /// # Cancel safety
    /// Dropping it abandons the question, and its connection.
    pub async fn user(&self, user_id: &str, range: Range) -> Result<Option<UserDetail>, Error> {
        // PostgreSQL would refuse it, and nobody is called that.
        if user_id.is_empty() || user_id.contains('\0') {
            return Ok(None);
        }
        let snapshot = Snapshot::open(&self.0).await?;
        let span = range.0.effective(snapshot.horizons());
        let id = Quiet(user_id);
        let params: [Param<'_>; 1] = [(&id, Type::TEXT)];
        let head = head(&snapshot, user_id, &params).await?;
        let sql = format!(
            "WITH rows AS MATERIALIZED (SELECT * FROM \"traffic_logs\" WHERE user_id = $1 AND started_at >= {} \
             AND started_at < {} ORDER BY started_at DESC LIMIT {MOST}), \
             seen AS (SELECT method, coalesce(rollup_route, route) AS route, status_code, user_agent, ip, session_id, \
             is_slow, duration_us, weight, started_at FROM rows), \
             sums AS (SELECT grouping(method, status_code, user_agent, ip, session_id, is_slow) AS kind, \
             method, route, status_code, user_agent, ip, session_id, is_slow, sum(weight)::bigint AS n, \
             sum(duration_us::numeric * weight)::float8 AS sum_us, max(duration_us) AS max_us, \
             coalesce(sum(weight) FILTER (WHERE status_code >= 400), 0)::bigint AS error_n, \
             min(started_at) AS first_at, max(started_at) AS last_at, count(*) AS row_n FROM seen \
             GROUP BY GROUPING SETS ((), (method, route), (method, route, is_slow), (method, route, status_code), \
             (user_agent), (ip), (session_id))) \
             SELECT kind, method, route, status_code, coalesce(user_agent, ip, session_id), n, sum_us, max_us, error_n, \
             first_at, last_at, row_n FROM (SELECT *, row_number() OVER (PARTITION BY kind ORDER BY n DESC, method, route, \
             status_code, user_agent, ip, session_id) AS rank FROM sums \
             WHERE kind IN ({ALL}, {ROUTE}) OR kind = {SLOW} AND is_slow OR kind = {STATUS} AND status_code >= 400 \
             OR kind = {AGENT} AND user_agent IS NOT NULL OR kind = {IP} AND ip IS NOT NULL \
             OR kind = {SESSION} AND session_id IS NOT NULL) AS ranked WHERE rank <= 100 ORDER BY kind, rank",
            literal(span.from),
            literal(span.to)
        );
        let rows = snapshot.rows(&sql, &params).await?;
        let mut detail = UserDetail {
            range: RangeShown::of(span, 3_600),
            user: head,
            count: 0,
            truncated: false,
            routes: Vec::new(),
            slow_routes: Vec::new(),
            error_routes: Vec::new(),
            devices: Vec::new(),
            ip_addresses: Vec::new(),
            sessions: Vec::new(),
        };
        for row in &rows {
            detail.add(&snapshot, row)?;
        }
        snapshot.end().await?;
        Ok((detail.user.last_seen.is_some()).then_some(detail))
    }
}

/// By `grouping`: a bit is set for each of method, status, agent, ip, session and slowness that was not grouped by.
const ALL: i32 = 0b11_1111;
const ROUTE: i32 = 0b01_1111;
const SLOW: i32 = 0b01_1110;
const STATUS: i32 = 0b00_1111;
const AGENT: i32 = 0b11_0111;
const IP: i32 = 0b11_1011;
const SESSION: i32 = 0b11_1101;

impl UserDetail {
    fn add(&mut self, snapshot: &Snapshot<'_>, row: &Row) -> Result<(), Error> {
        let kind: i32 = snapshot.get(row, 0)?;
        if kind == ALL {
            // It comes without any request too.
            self.count = snapshot.get::<Option<i64>>(row, 5)?.unwrap_or_default();
            self.truncated = snapshot.get::<i64>(row, 11)? >= MOST;
            return Ok(());
        }
        let count = snapshot.get(row, 5)?;
        let last_seen = snapshot.get(row, 10)?;
        match kind {
            ROUTE => self.routes.push(route(snapshot, row)?),
            SLOW => self.slow_routes.push(route(snapshot, row)?),
            STATUS => self.error_routes.push(UserErrorRoute {
                method: snapshot.get(row, 1)?,
                route: snapshot.get(row, 2)?,
                status_code: snapshot.get(row, 3)?,
                count,
                last_seen,
            }),
            AGENT => self.devices.push(Device { user_agent: snapshot.get(row, 4)?, count, last_seen }),
            IP => self.ip_addresses.push(IpAddress { ip: snapshot.get(row, 4)?, count, last_seen }),
            _ => self.sessions.push(Session {
                session_id: snapshot.get(row, 4)?,
                count,
                first_seen: snapshot.get(row, 9)?,
                last_seen,
            }),
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds")]
fn route(snapshot: &Snapshot<'_>, row: &Row) -> Result<UserRoute, Error> {
    let count = snapshot.get(row, 5)?;
    Ok(UserRoute {
        method: snapshot.get(row, 1)?,
        route: snapshot.get(row, 2)?,
        count,
        average_duration_ms: mean_ms(snapshot.get(row, 6)?, count).unwrap_or_default(),
        max_ms: snapshot.get::<i64>(row, 7)? as f64 / 1_000.0,
        error_count: snapshot.get(row, 8)?,
        last_seen: snapshot.get(row, 10)?,
    })
}

/// From the dictionary and the latest row.
async fn head(snapshot: &Snapshot<'_>, user_id: &str, params: &[Param<'_>]) -> Result<UserHead, Error> {
    let sql = "SELECT coalesce(latest.user_name, known.user_name), coalesce(latest.user_email, known.user_email), \
               known.first_at, greatest(latest.started_at, known.last_at) FROM (SELECT 1) AS one \
               LEFT JOIN LATERAL (SELECT * FROM \"traffic_logs\" WHERE user_id = $1 ORDER BY started_at DESC LIMIT 1) \
               AS latest ON true LEFT JOIN \"traffic_logs_users\" AS known ON known.user_id = $1";
    let rows = snapshot.rows(sql, params).await?;
    let mut head = UserHead { id: user_id.to_owned(), name: None, email: None, first_seen: None, last_seen: None };
    if let Some(row) = rows.first() {
        head.name = snapshot.get(row, 0)?;
        head.email = snapshot.get(row, 1)?;
        head.last_seen = snapshot.get(row, 3)?;
        head.first_seen = snapshot.get::<Option<OffsetDateTime>>(row, 2)?;
    }
    Ok(head)
}
