//! From what was seen of a request to what is stored of it.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use time::OffsetDateTime;

use super::{
    family::family,
    modes::{IpMode, QueryMode, RouteValue, UaMode},
    row::TrafficRow,
    url::{masked, truncated},
};
use crate::moment;

/// The rollups' one name for all requests that no route matched: scans of random addresses must not become as many
/// routes.
const UNMATCHED: &str = "<unmatched>";
/// In characters.
const LONGEST_URL: usize = 2_048;
/// In bytes: an index of PostgreSQL holds some 2,700 of a row, and rollups are found by method and route.
const LONGEST_ROUTE: usize = 2_048;
const LONGEST_NAME: usize = 512;
const LONGEST_METHOD: usize = 32;

/// Who asked. Deserialised, it takes the seed's other spellings `userId`, `userName` and `userEmail`.
#[derive(Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct UserDetails {
    /// The id; without it the request is nobody's.
    #[serde(alias = "userId", alias = "user_id")]
    pub id: Option<String>,
    /// The name.
    #[serde(alias = "userName", alias = "user_name")]
    pub name: Option<String>,
    /// The e-mail address.
    #[serde(alias = "userEmail", alias = "user_email")]
    pub email: Option<String>,
}

impl std::fmt::Debug for UserDetails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserDetails").finish_non_exhaustive()
    }
}

/// What was seen of one request, before the rules.
#[derive(Clone)]
pub struct Seen<'s> {
    /// When it came in.
    pub started_at: OffsetDateTime,
    /// To the end of its answer.
    pub duration: Duration,
    /// Its method.
    pub method: &'s str,
    /// The route that matched, such as `/users/{id}`.
    pub pattern: Option<&'s str>,
    /// The path, without the query.
    pub path: &'s str,
    /// The query, unmasked, without its question mark.
    pub query: Option<&'s str>,
    /// What was answered; 499 when the client was gone before.
    pub status: u16,
    /// Who asked.
    pub user: UserDetails,
    /// In which session.
    pub session_id: Option<&'s str>,
    /// From where.
    pub ip: Option<IpAddr>,
    /// The header `user-agent`.
    pub user_agent: Option<&'s str>,
    /// What ties it to audit events.
    pub request_id: Option<&'s str>,
}

impl std::fmt::Debug for Seen<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen").field("method", &self.method).field("status", &self.status).finish_non_exhaustive()
    }
}

/// The options that concern rows, checked.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) slow_threshold: Duration,
    pub(super) route_value: RouteValue,
    pub(super) ip: IpMode,
    pub(super) user_agent: UaMode,
    pub(super) query: QueryMode,
    /// Of how many quick and successful requests one is kept.
    pub(super) one_in: u32,
    pub(super) turn: AtomicU32,
}

impl Rules {
    /// The row; `None` where the sample does without it.
    pub(super) fn row(&self, seen: Seen<'_>) -> Option<TrafficRow> {
        let is_slow = seen.duration >= self.slow_threshold;
        let one_of_many = self.one_in > 1 && !is_slow && seen.status < 400;
        if one_of_many && !self.turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.one_in) {
            return None;
        }
        let started_at = moment::to_microseconds(seen.started_at)?;
        let duration_us = i64::try_from(seen.duration.as_micros()).unwrap_or(i64::MAX);
        let original_url = self.original_url(seen.path, seen.query);
        let (route, rollup_route) = self.route(seen.pattern, seen.path, &original_url);
        let UserDetails { id, name, email } = seen.user;
        let text = |text: Option<&str>| text.and_then(|text| kept(text, LONGEST_NAME));
        Some(TrafficRow {
            started_at,
            ended_at: started_at.checked_add(time::Duration::microseconds(duration_us)).unwrap_or(started_at),
            duration_us,
            is_slow,
            method: kept(seen.method, LONGEST_METHOD).unwrap_or_default(),
            route,
            rollup_route,
            original_url,
            status_code: i16::try_from(seen.status).unwrap_or(i16::MAX),
            user_id: text(id.as_deref()),
            user_name: text(name.as_deref()),
            user_email: text(email.as_deref()),
            session_id: text(seen.session_id),
            ip: seen.ip.and_then(|ip| match self.ip {
                IpMode::Off => None,
                IpMode::Truncated => Some(truncated(ip)),
                IpMode::Full => Some(ip.to_canonical().to_string()),
            }),
            user_agent: seen.user_agent.and_then(|agent| match self.user_agent {
                UaMode::Off => None,
                UaMode::Family => Some(family(agent)),
                UaMode::Full => kept(agent, LONGEST_NAME),
            }),
            request_id: text(seen.request_id),
            weight: if one_of_many { i32::try_from(self.one_in).unwrap_or(i32::MAX) } else { 1 },
        })
    }

    fn original_url(&self, path: &str, query: Option<&str>) -> String {
        let path = kept(path, LONGEST_URL).unwrap_or_default();
        let query = match (self.query, query) {
            (QueryMode::Drop, _) | (_, None) => return path,
            (QueryMode::Full, Some(query)) => query.to_owned(),
            (QueryMode::Masked, Some(query)) => masked(query),
        };
        kept(&format!("{path}?{query}"), LONGEST_URL).unwrap_or_default()
    }

    fn route(&self, pattern: Option<&str>, path: &str, original_url: &str) -> (String, Option<String>) {
        let path = || kept(path, LONGEST_URL).unwrap_or_else(|| original_url.to_owned());
        let (mut route, rollup_route) = match (self.route_value, pattern.and_then(|pattern| kept(pattern, LONGEST_URL)))
        {
            (RouteValue::Pattern, Some(pattern)) => (pattern, None),
            (RouteValue::Pattern, None) => (path(), Some(UNMATCHED.to_owned())),
            (RouteValue::Path, _) => (path(), None),
            (RouteValue::OriginalUrl, _) => (original_url.to_owned(), None),
        };
        let end = (0..=LONGEST_ROUTE.min(route.len())).rev().find(|end| route.is_char_boundary(*end));
        route.truncate(end.unwrap_or_default());
        (route, rollup_route)
    }
}

/// The text, cut, and without what PostgreSQL cannot store; nothing where it is blank.
fn kept(text: &str, longest: usize) -> Option<String> {
    let text = text.trim();
    let kept: String = text.chars().filter(|char| *char != '\0').take(longest).collect();
    (!kept.is_empty()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            slow_threshold: Duration::from_secs(1),
            route_value: RouteValue::Pattern,
            ip: IpMode::Off,
            user_agent: UaMode::Full,
            query: QueryMode::Masked,
            one_in: 1,
            turn: AtomicU32::new(0),
        }
    }

    fn seen() -> Seen<'static> {
        Seen {
            started_at: time::macros::datetime!(2026-05-07 12:00 UTC),
            duration: Duration::from_millis(187),
            method: "GET",
            pattern: Some("/users/{id}"),
            path: "/users/7",
            query: Some("page=1&token=abc"),
            status: 200,
            user: UserDetails::default(),
            session_id: None,
            ip: Some("192.0.2.77".parse().unwrap()),
            user_agent: Some("curl/8.0"),
            request_id: Some("r1"),
        }
    }

    #[test]
    fn the_threshold_itself_is_slow() {
        for (micros, slow) in [(999_000, false), (999_999, false), (1_000_000, true), (1_500_000, true)] {
            let row = rules().row(Seen { duration: Duration::from_micros(micros), ..seen() }).unwrap();
            assert_eq!((row.is_slow, row.duration_us), (slow, i64::try_from(micros).unwrap()));
        }
    }

    #[test]
    fn the_route_is_what_was_asked_for() {
        for (value, route) in [
            (RouteValue::Pattern, "/users/{id}"),
            (RouteValue::Path, "/users/7"),
            (RouteValue::OriginalUrl, "/users/7?page=1&token=[REDACTED]"),
        ] {
            let row = Rules { route_value: value, ..rules() }.row(seen()).unwrap();
            assert_eq!((row.route.as_str(), row.rollup_route), (route, None));
            assert_eq!(row.original_url, "/users/7?page=1&token=[REDACTED]");
        }
        let row = rules().row(Seen { pattern: None, path: "/wp-login.php", ..seen() }).unwrap();
        assert_eq!((row.route.as_str(), row.rollup_route.as_deref()), ("/wp-login.php", Some(UNMATCHED)));
    }

    #[test]
    fn a_sample_keeps_every_error_and_every_slow_one() {
        let rules = Rules { one_in: 4, ..rules() };
        let weights = |seen: &Seen<'static>| -> Vec<i32> {
            (0..8).filter_map(|_| rules.row(seen.clone())).map(|row| row.weight).collect()
        };
        assert_eq!(weights(&seen()), [4, 4]);
        assert_eq!(weights(&Seen { status: 404, ..seen() }), [1; 8]);
        assert_eq!(weights(&Seen { duration: Duration::from_secs(1), ..seen() }), [1; 8]);
    }

    #[test]
    fn addresses_and_agents_are_kept_as_asked() {
        let row = |ip, user_agent| Rules { ip, user_agent, ..rules() }.row(seen()).unwrap();
        assert_eq!(row(IpMode::Off, UaMode::Off).ip, None);
        assert_eq!(row(IpMode::Off, UaMode::Off).user_agent, None);
        assert_eq!(row(IpMode::Truncated, UaMode::Full).ip.as_deref(), Some("192.0.2.0/24"));
        assert_eq!(row(IpMode::Full, UaMode::Full).ip.as_deref(), Some("192.0.2.77"));
        assert_eq!(row(IpMode::Full, UaMode::Full).user_agent.as_deref(), Some("curl/8.0"));
    }

    #[test]
    fn hostile_text_becomes_storable() {
        let long = "x".repeat(100_000);
        let user = UserDetails { id: Some(" \0 ".to_owned()), name: Some(long.clone()), email: None };
        let row = rules().row(Seen { user, path: &long, pattern: None, user_agent: Some("\0"), ..seen() }).unwrap();
        assert_eq!((row.user_id, row.user_agent), (None, None));
        assert_eq!((row.user_name.unwrap().len(), row.original_url.len()), (LONGEST_NAME, LONGEST_URL));
    }
}
