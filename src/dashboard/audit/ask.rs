//! What the URL of a page of audit events asks for.
//!
//! | parameter | |
//! |---|---|
//! | `q` | the search box, see [`words`](super::words) |
//! | `event`, `actor`, `actor-type`, `target`, `target-type`, `request`, `correlation`, `environment`, `mode`, `outcome`, `severity` | equal to this |
//! | `after`, `before` | at this moment or later; earlier than this one: RFC 3339, or a day of UTC |
//! | `range`; `from` and `to` | as on all pages. Default: all of the time, since the newest come first, by an index |
//! | `cursor`, `limit`, `tz` | the place in the list, 1 to 500 records, `utc` or `local` |
//!
//! All conditions must hold. One that is given both in the box and beside it must be the same.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use http::request::Parts;
use time::{Date, Duration, OffsetDateTime, Time, macros::format_description};

use super::{
    place::Place,
    qualifier::Qualifier,
    words::{self, Word},
};
use crate::{
    Mode,
    dashboard::{
        ask::{self, Asked},
        problem::Problem,
    },
    query::{Cursor, Filters},
};

/// The parameters beside the qualifiers.
const OTHERS: [&str; 8] = ["q", "range", "from", "to", "cmp", "cursor", "limit", "tz"];

/// The parameters as they were given; an empty one was not.
#[derive(Debug, Clone, Default)]
pub(super) struct AuditAsked(BTreeMap<&'static str, String>);

impl AuditAsked {
    fn read(query: &str) -> Result<Self, Problem> {
        let mut asked = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let others = || OTHERS.into_iter().find(|other| *other == name);
            let Some(known) = Qualifier::named(&name).map(Qualifier::name).or_else(others) else {
                return Err(Problem::parameter(&name, "is not a parameter here"));
            };
            if value.contains('\0') || value.len() > 2_048 {
                return Err(Problem::parameter(known, "holds a NUL, or more than 2,048 bytes"));
            }
            if asked.insert(known, value.into_owned()).is_some() {
                return Err(Problem::parameter(known, "is given twice"));
            }
        }
        asked.retain(|_, value| !value.is_empty());
        Ok(Self(asked))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// What holds on the pages of traffic as well.
    pub(super) fn everywhere(&self) -> Asked {
        let get = |name| self.get(name).map(str::to_owned);
        let own = self.0.iter().filter(|(name, _)| **name == "q" || Qualifier::named(name).is_some());
        let more = own.map(|(name, value)| (*name, value.clone())).collect();
        Asked {
            more,
            range: get("range"),
            from: get("from"),
            to: get("to"),
            cmp: get("cmp"),
            tz: get("tz"),
            ..Asked::default()
        }
    }

    fn query(&self) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    fn without(&self, names: &[&str]) -> Self {
        let mut asked = self.clone();
        asked.0.retain(|name, _| !names.contains(name));
        asked
    }
}

impl<S: Sync> FromRequestParts<S> for AuditAsked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::read(parts.uri.query().unwrap_or_default())
    }
}

/// The same, understood.
#[derive(Debug, Clone)]
pub(super) struct AuditAsk {
    pub(super) asked: AuditAsked,
    /// What the box says.
    words: Vec<Word>,
    /// Every condition, of the box or beside it, in the order of [`Qualifier::ALL`].
    pub(super) conditions: Vec<Word>,
    pub(super) filters: Filters,
    pub(super) cursor: Option<Cursor>,
    /// When a range that ends now begins.
    since: Option<OffsetDateTime>,
}

impl AuditAsk {
    pub(super) fn of(asked: AuditAsked) -> Result<Self, Problem> {
        let words = words::parse(asked.get("q").unwrap_or_default())?;
        let mut conditions = Vec::new();
        for qualifier in Qualifier::ALL {
            let name = qualifier.name();
            let in_the_box = words.iter().find(|(known, _)| *known == qualifier).map(|(_, value)| value.as_str());
            match (in_the_box, asked.get(name)) {
                (Some(one), Some(other)) if one != other => {
                    return Err(Problem::parameter(name, "says something else than the search box does"));
                }
                (Some(value), _) | (None, Some(value)) => conditions.push((qualifier, value.to_owned())),
                (None, None) => {}
            }
        }
        let place = asked.get("cursor").map(Place::read).transpose()?;
        let since = since(&asked, place.as_ref())?;
        let mut filters = Filters::new();
        for (qualifier, value) in &conditions {
            filters = condition(filters, *qualifier, value)?;
        }
        filters = stretch(filters, &conditions, &asked, since)?;
        if let Some(limit) = ask::number("limit", asked.get("limit"))? {
            if !(1..=500).contains(&limit) {
                return Err(Problem::parameter("limit", "must be from 1 to 500"));
            }
            filters = filters.limit(limit);
        }
        if !matches!(asked.get("tz"), None | Some("utc" | "local")) {
            return Err(Problem::parameter("tz", "must be `utc` or `local`"));
        }
        Ok(Self { asked, words, conditions, filters, cursor: place.map(|place| place.cursor), since })
    }

    pub(super) fn condition(&self, qualifier: Qualifier) -> Option<&str> {
        self.conditions.iter().find(|(known, _)| *known == qualifier).map(|(_, value)| value.as_str())
    }

    /// What is filtered by, and when, for the event that tells of it.
    pub(super) fn told(&self) -> BTreeMap<&str, &str> {
        let stretch = ["range", "from", "to"].into_iter().filter_map(|name| Some((name, self.asked.get(name)?)));
        self.conditions.iter().map(|(one, value)| (one.name(), value.as_str())).chain(stretch).collect()
    }

    /// This page again, with one condition more, another, or without it: as the query of a link.
    pub(super) fn with(&self, changes: &[(Qualifier, Option<&str>)]) -> String {
        let told_anew = |qualifier: Qualifier| changes.iter().any(|(one, _)| *one == qualifier);
        let mut asked = self.asked.without(&["cursor", "q"]);
        let words = words::print(self.words.iter().filter(|(qualifier, _)| !told_anew(*qualifier)));
        if !words.is_empty() {
            asked.0.insert("q", words);
        }
        for (qualifier, value) in changes {
            match value {
                Some(value) => asked.0.insert(qualifier.name(), (*value).to_owned()),
                None => asked.0.remove(qualifier.name()),
            };
        }
        asked.query()
    }

    /// This page again, over another stretch of time.
    pub(super) fn over(&self, range: Option<&str>) -> String {
        let mut asked = self.asked.without(&["cursor", "range", "from", "to"]);
        if let Some(range) = range {
            asked.0.insert("range", range.to_owned());
        }
        asked.query()
    }

    /// This list from its begin.
    pub(super) fn first(&self) -> String {
        self.asked.without(&["cursor"]).query()
    }

    /// This list behind a cursor.
    pub(super) fn behind(&self, cursor: Cursor) -> String {
        let mut asked = self.asked.clone();
        asked.0.insert("cursor", self.place(cursor));
        asked.query()
    }

    /// A cursor as the parameter has it.
    pub(super) fn place(&self, cursor: Cursor) -> String {
        Place { cursor, since: self.since }.to_string()
    }

    /// All that this list holds, on however many pages.
    pub(super) fn whole(&self) -> String {
        self.asked.without(&["cursor", "limit", "tz", "cmp"]).query()
    }
}

/// When a range that ends now begins: on later pages, when it did on the first.
fn since(asked: &AuditAsked, place: Option<&Place>) -> Result<Option<OffsetDateTime>, Problem> {
    for (one, other) in [("from", "to"), ("to", "from")] {
        if asked.get(one).is_some() && asked.get(other).is_none() {
            return Err(Problem::parameter(other, &format!("is needed with `{one}`")));
        }
    }
    let other = || Problem::parameter("cursor", "belongs to other filters: start again without it");
    let Some(range) = asked.get("range") else {
        return if place.is_some_and(|place| place.since.is_some()) { Err(other()) } else { Ok(None) };
    };
    if asked.get("from").or(asked.get("to")).is_some() {
        return Err(Problem::parameter("range", "cannot be given together with `from` and `to`"));
    }
    let wrong = || Problem::parameter("range", "must be minutes, hours or days, such as `15m`, `24h` or `30d`");
    let duration = ask::duration(range).and_then(|duration| Duration::try_from(duration).ok()).ok_or_else(wrong)?;
    if let Some(place) = place {
        return place.since.ok_or_else(other).map(Some);
    }
    let since = OffsetDateTime::now_utc().checked_sub(duration).ok_or_else(wrong)?;
    // As a cursor can say it.
    Ok(Some(since - Duration::nanoseconds(i64::from(since.nanosecond() % 1_000))))
}

fn condition(filters: Filters, qualifier: Qualifier, value: &str) -> Result<Filters, Problem> {
    Ok(match qualifier {
        Qualifier::Event => filters.event(value),
        Qualifier::Actor => filters.actor_id(value),
        Qualifier::ActorType => filters.actor_type(value),
        Qualifier::Target => filters.target_id(value),
        Qualifier::TargetType => filters.target_type(value),
        Qualifier::Request => filters.request_id(value),
        Qualifier::Correlation => filters.correlation_id(value),
        Qualifier::Environment => filters.environment(value),
        Qualifier::Outcome => filters.outcome(value),
        Qualifier::Severity => filters.severity(value),
        Qualifier::Mode => filters.mode(match value {
            "sync" => Mode::Sync,
            "async" => Mode::Async,
            _ => return Err(Problem::parameter("mode", "must be `sync` or `async`")),
        }),
        Qualifier::After | Qualifier::Before => filters,
    })
}

/// The time in which all stretches that are asked for meet. Its end is not in it.
fn stretch(
    filters: Filters,
    conditions: &[Word],
    asked: &AuditAsked,
    since: Option<OffsetDateTime>,
) -> Result<Filters, Problem> {
    let given =
        |qualifier: Qualifier| conditions.iter().find(|(one, _)| *one == qualifier).map(|(_, text)| text.as_str());
    let read = |name, text: Option<&str>| text.map(|text| moment(name, text)).transpose();
    let end = |name| asked.get(name).map(|text| ask::moment(name, text)).transpose();
    let begins = [since, end("from")?, read("after", given(Qualifier::After))?];
    let ends = [end("to")?, read("before", given(Qualifier::Before))?];
    // Reading cuts both to microseconds, and takes both ends in.
    let nano = Duration::NANOSECOND;
    let mut filters = filters;
    if let Some(from) = begins.into_iter().flatten().max() {
        filters = filters.from(from.saturating_add(nano * 999));
    }
    if let Some(to) = ends.into_iter().flatten().min() {
        filters = filters.to(to.saturating_sub(nano));
    }
    Ok(filters)
}

fn moment(name: &str, text: &str) -> Result<OffsetDateTime, Problem> {
    if let Ok(day) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
        return Ok(day.with_time(Time::MIDNIGHT).assume_utc());
    }
    ask::moment(name, text).map_err(|_| {
        Problem::parameter(name, "must be a time such as `2026-05-07T12:00:00Z`, or a day such as `2026-05-07`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<AuditAsk, Problem> {
        AuditAsk::of(AuditAsked::read(query)?)
    }

    #[test]
    fn the_box_and_the_fields_say_the_same_thing() {
        let boxed = read("q=actor:ann+event:%22order+paid%22+mode:sync+before:2026-05-07").unwrap();
        let fields = read("actor=ann&event=order+paid&mode=sync&before=2026-05-07T00:00:00Z&q=").unwrap();
        assert!(boxed.filters == fields.filters);
        assert!(boxed.filters != Filters::new());
        assert_eq!(
            fields.with(&[(Qualifier::Actor, None), (Qualifier::Mode, Some("async"))]),
            "?before=2026-05-07T00%3A00%3A00Z&event=order+paid&mode=async"
        );
        assert_eq!(
            boxed.with(&[(Qualifier::Event, None), (Qualifier::Actor, Some("a/b"))]),
            "?actor=a%2Fb&q=mode%3Async+before%3A2026-05-07"
        );
        assert_eq!(read("q=actor:ann&actor=ann").unwrap().conditions.len(), 1);
        assert_eq!(read("cmp=0&tz=local&limit=5").unwrap().whole(), "");
    }

    #[test]
    fn stretches_of_time_meet_and_their_end_is_left_out() {
        let meet =
            read("from=2026-05-01T00:00:00Z&to=2026-05-09T00:00:00Z&after=2026-05-03&q=before:2026-05-20").unwrap();
        let plain = read("after=2026-05-03&before=2026-05-09").unwrap();
        assert!(meet.filters == plain.filters);
        let last = ask::moment("", "2026-05-08T23:59:59.999999999Z").unwrap();
        assert!(
            plain.filters == Filters::new().from(ask::moment("", "2026-05-03T00:00:00.000000999Z").unwrap()).to(last)
        );
        assert!(read("").unwrap().filters == Filters::new());
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (query, name) in [
            ("acter=ann", "acter"),
            ("status=5xx", "status"),
            ("actor=ann&actor=bob", "actor"),
            ("actor=ann&q=actor:bob", "actor"),
            ("mode=later", "mode"),
            ("after=yesterday", "after"),
            ("q=before:1.5.2026", "before"),
            ("from=2026-05-07T12:00:00Z", "to"),
            ("to=2026-05-07T12:00:00Z", "from"),
            ("from=2026-05-07&to=2026-05-08", "from"),
            ("range=1y", "range"),
            ("range=1d&from=2026-05-07T12:00:00Z&to=2026-05-08T12:00:00Z", "range"),
            ("range=99999999999999d", "range"),
            ("range=9999999d", "range"),
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("cursor=1.2.3", "cursor"),
            ("tz=Mars", "tz"),
            ("q=hello", "q"),
            ("event=%00", "event"),
        ] {
            let problem = read(query).unwrap_err();
            assert!(problem.detail().contains(&format!("`{name}`")), "{query}: {}", problem.detail());
        }
    }
}
