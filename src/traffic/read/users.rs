//! Users: how many, and who asked how often.

use serde::Serialize;
use time::OffsetDateTime;
use tokio_postgres::types::Type;

use super::{
    super::{
        cover::{Cover, Horizons, Level, Marks},
        quiet::Quiet,
        snapshot::{Param, Snapshot},
        span::{Span, literal, moment, within},
        traffic::Traffic,
    },
    page::{Place, like, limit},
    range::{Range, RangeShown, rfc3339},
    routes::LEVELS,
    sql,
};
use crate::error::{Error, ValidationError};

/// What one user asked.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "dashboard", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UserRow {
    /// The id; without one it is everybody who has none.
    pub user_id: Option<String>,
    /// The name.
    pub user_name: Option<String>,
    /// The e-mail address.
    pub user_email: Option<String>,
    /// Requests.
    pub count: i64,
    /// Those with a status from 400 on.
    pub error_count: i64,
    /// Slow ones.
    pub slow_count: i64,
    /// When the last one came in.
    #[serde(serialize_with = "rfc3339")]
    pub last_seen: OffsetDateTime,
}

impl std::fmt::Debug for UserRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRow").field("count", &self.count).finish_non_exhaustive()
    }
}

/// What users are sorted by, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UserSort {
    /// Requests.
    #[default]
    Count,
    /// Errors.
    Errors,
    /// Slow ones.
    Slow,
    /// When the last one came in.
    LastSeen,
}

impl std::str::FromStr for UserSort {
    type Err = Error;

    /// # Errors
    /// `Validation` when it is not the key of a column.
    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "count" => Self::Count,
            "errorCount" | "errors" => Self::Errors,
            "slowCount" | "slow" => Self::Slow,
            "lastSeen" => Self::LastSeen,
            _ => return Err(ValidationError::new("sort", "is not the key of a sortable column").into()),
        })
    }
}

impl UserSort {
    fn sql(self) -> &'static str {
        match self {
            Self::Count => "sum(n)::float8",
            Self::Errors => "sum(error_n)::float8",
            Self::Slow => "sum(slow_n)::float8",
            Self::LastSeen => "extract(epoch FROM max(last_at))::float8",
        }
    }
}

/// Which users are meant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UsersQuery {
    /// When.
    pub range: Range,
    /// In which order.
    pub sort: UserSort,
    /// At most so many: 1 to 500.
    pub limit: u32,
    /// Behind the page that gave it, with the same range and order.
    pub cursor: Option<String>,
    /// A part of the id, the name or the e-mail address. Somebody new is found by name a minute later.
    pub search: Option<String>,
}

impl UsersQuery {
    /// The 50 with the most requests.
    pub fn new(range: Range) -> Self {
        Self { range, sort: UserSort::default(), limit: 50, cursor: None, search: None }
    }
}

/// A page of users.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Users {
    /// What was counted.
    pub range: RangeShown,
    /// The users.
    pub users: Vec<UserRow>,
    /// For the next page; without it this is the last.
    pub next: Option<String>,
}

impl Traffic {
    /// Users with their counts.
    ///
    /// # Errors
    /// `Validation` when the limit or the cursor is none; `Driver`.
    ///
    /// # Cancel safety
    /// Dropping it abandons the question, and its connection.
    pub async fn users(&self, query: &UsersQuery) -> Result<Users, Error> {
        let limit = limit(query.limit)?;
        let place = query.cursor.as_deref().map(Place::read).transpose()?;
        let snapshot = Snapshot::open(&self.0).await?;
        let span = query.range.0.effective(snapshot.horizons());
        let marks = snapshot.marks(span).await?;
        let cover = snapshot.cover(span, &LEVELS, &marks);
        let behind = if place.is_some() { "WHERE key < $1 OR key = $1 AND user_id > $2" } else { "" };
        let Place { number, texts: [id, _] } =
            place.unwrap_or(Place { number: 0.0, texts: [String::new(), String::new()] });
        let (id, search) = (Quiet(id), Quiet(query.search.as_deref().map(like)));
        let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let params: [Param<'_>; 4] =
            [(&number, Type::FLOAT8), (&id, Type::TEXT), (&search, Type::TEXT), (&most, Type::INT8)];
        let found = match query.search {
            None => "",
            Some(_) => {
                "WHERE user_id ILIKE $3 OR user_id IN (SELECT user_id FROM \"traffic_logs_users\" \
                 WHERE user_name ILIKE $3 OR user_email ILIKE $3)"
            }
        };
        // The names of those on the page only: the latest that the dictionary knows, or else that a row has.
        let sql = format!(
            "SELECT page.user_id, coalesce(known.user_name, fresh.user_name), coalesce(known.user_email, fresh.user_email), \
             n, error_n, slow_n, page.last_at, key FROM (\
             SELECT * FROM (SELECT user_id, sum(n)::bigint AS n, sum(error_n)::bigint AS error_n, \
             sum(slow_n)::bigint AS slow_n, max(last_at) AS last_at, {} AS key FROM ({}) AS cells {found} GROUP BY 1) AS one \
             {behind} ORDER BY key DESC, user_id LIMIT $4) AS page \
             LEFT JOIN \"traffic_logs_users\" AS known ON known.user_id = page.user_id \
             LEFT JOIN LATERAL (SELECT user_name, user_email FROM \"traffic_logs\" AS rows WHERE known.user_id IS NULL \
             AND rows.user_id = page.user_id AND started_at = page.last_at LIMIT 1) AS fresh ON true \
             ORDER BY key DESC, page.user_id",
            query.sort.sql(),
            sql::users(&cover)
        );
        let rows = snapshot.rows(&sql, &params).await?;
        let user = |row| -> Result<UserRow, Error> {
            Ok(UserRow {
                user_id: Some(snapshot.get::<String>(row, 0)?).filter(|id| !id.is_empty()),
                user_name: snapshot.get(row, 1)?,
                user_email: snapshot.get(row, 2)?,
                count: snapshot.get(row, 3)?,
                error_count: snapshot.get(row, 4)?,
                slow_count: snapshot.get(row, 5)?,
                last_seen: snapshot.get(row, 6)?,
            })
        };
        let users = rows.iter().take(limit).map(user).collect::<Result<_, _>>()?;
        let next = match rows.get(limit.wrapping_sub(1)).filter(|_| rows.len() > limit) {
            Some(last) => {
                let texts = [snapshot.get(last, 0)?, String::new()];
                Some(Place { number: snapshot.get(last, 7)?, texts }.text())
            }
            None => None,
        };
        snapshot.end().await?;
        Ok(Users { range: RangeShown::of(span, 3_600), users, next })
    }
}

/// All hours of a day.
const WHOLE: i32 = (1 << 24) - 1;

/// How many users were seen: by the hours in which they were, and by rows.
pub(super) async fn unique(snapshot: &Snapshot<'_>, span: Span, marks: &Marks) -> Result<i64, Error> {
    // Which hours somebody was seen in is kept as long as days are.
    let horizons = Horizons { hour: snapshot.horizons().day, ..*snapshot.horizons() };
    let cover = Cover::of(span, &LEVELS, marks, &horizons);
    let (whole, parts) = masks(&cover.hours);
    let mut sources = Vec::new();
    for (last, mask) in months(&cover.days) {
        let at = literal(last);
        sources.push(format!("SELECT user_id FROM \"traffic_logs_user_days\" WHERE at = {at} AND days & {mask} <> 0"));
    }
    if !whole.is_empty() {
        let days = within("at", &whole);
        sources.push(format!("SELECT user_id FROM \"traffic_logs_user_hours\" WHERE hours <> 0 AND {days}"));
    }
    for (day, mask) in parts {
        let at = literal(day);
        sources
            .push(format!("SELECT user_id FROM \"traffic_logs_user_hours\" WHERE at = {at} AND hours & {mask} <> 0"));
    }
    if !cover.raw.is_empty() {
        sources.push(format!("SELECT user_id FROM \"traffic_logs\" WHERE user_id <> '' AND {}", sql::raw(&cover)));
    }
    if sources.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "SELECT count(*) FROM (SELECT user_id FROM ({}) AS seen GROUP BY user_id) AS one",
        sources.join(" UNION ALL ")
    );
    let rows = snapshot.rows(&sql, &[]).await?;
    rows.first().map_or(Ok(0), |row| snapshot.get(row, 0))
}

/// Of which months which days; a month is told by its last day.
fn months(days: &[Span]) -> Vec<(i64, i32)> {
    let mut months: Vec<(i64, i32)> = Vec::new();
    for span in days {
        let mut at = span.from;
        while at < span.to {
            let date = moment(at).date();
            let left = i64::from(date.month().length(date.year()) - date.day());
            let (last, bit) = (at + left * Level::Day.size(), 1 << (date.day() - 1));
            match months.last_mut() {
                Some((month, mask)) if *month == last => *mask |= bit,
                _ => months.push((last, bit)),
            }
            at += Level::Day.size();
        }
    }
    months
}

/// Whole days, and of the others which hours.
fn masks(hours: &[Span]) -> (Vec<Span>, Vec<(i64, i32)>) {
    let (hour, day) = (Level::Hour.size(), Level::Day.size());
    let mut days: Vec<(i64, i32)> = Vec::new();
    for span in hours {
        let mut at = span.from;
        while at < span.to {
            let bit = 1 << (at.rem_euclid(day) / hour);
            let start = at.div_euclid(day) * day;
            match days.last_mut() {
                Some((last, mask)) if *last == start => *mask |= bit,
                _ => days.push((start, bit)),
            }
            at += hour;
        }
    }
    let mut whole = Vec::new();
    days.retain(|(start, mask)| {
        if *mask == WHOLE {
            super::super::span::push(&mut whole, Span { from: *start, to: start + day });
        }
        *mask != WHOLE
    });
    (whole, days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_months_and_masks() {
        let day = Level::Day.size();
        // From 30 January 1970 to 2 March, without 1 February.
        let months = months(&[Span { from: 29 * day, to: 31 * day }, Span { from: 32 * day, to: 61 * day }]);
        let february = 58 * day;
        assert_eq!(months, [(30 * day, 0b11 << 29), (february, (1 << 28) - 2), (89 * day, 0b11)]);
    }

    #[test]
    fn hours_become_days_and_masks() {
        let (hour, day) = (Level::Hour.size(), Level::Day.size());
        let (whole, parts) = masks(&[
            Span { from: day - hour, to: 3 * day + 2 * hour },
            Span { from: 3 * day + 5 * hour, to: 3 * day + 6 * hour },
        ]);
        assert_eq!(whole, [Span { from: day, to: 3 * day }]);
        assert_eq!(parts, [(0, 1 << 23), (3 * day, 0b10_0011)]);
    }
}
