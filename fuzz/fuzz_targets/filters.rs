//! Filters in JSON text, read and then taken to SQL.
#![no_main]

use std::fmt::Debug;

use futures_util::StreamExt as _;
use libfuzzer_sys::fuzz_target;
use tracevault::{
    Error, Mode,
    query::{CountFilters, Filters, Order},
    time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339},
};
use tracevault_fuzz::{door::Door, leak::assert_quiet, members::Members};

fuzz_target!(|input: &[u8]| {
    let expected = std::str::from_utf8(input).ok().and_then(Expected::of);
    match (serde_json::from_slice::<Filters>(input), &expected) {
        (Ok(filters), Some(expected)) => expected.assert_is(filters, input),
        (Ok(filters), None) => panic!("must be refused: {filters:?}"),
        (Err(error), None) => assert_quiet(&error, input),
        (Err(error), Some(_)) => panic!("must be read: {error}"),
    }
    let expected = expected.filter(|expected| !expected.paging);
    match (serde_json::from_slice::<CountFilters>(input), &expected) {
        (Ok(filters), Some(expected)) => expected.assert_counts(filters, input),
        (Ok(filters), None) => panic!("must be refused: {filters:?}"),
        (Err(error), None) => assert_quiet(&error, input),
        (Err(error), Some(_)) => panic!("must be read: {error}"),
    }
});

/// The same filters, built by their methods.
#[derive(Default)]
struct Expected {
    filters: Filters,
    count: CountFilters,
    /// A key of paging stands there, if only as `null`.
    paging: bool,
    limit: Option<u32>,
    offset: Option<u64>,
    from: Option<OffsetDateTime>,
    to: Option<OffsetDateTime>,
    nul: bool,
}

const KNOWN: [&str; 19] = [
    "event",
    "actorId",
    "actorType",
    "targetId",
    "targetType",
    "correlationId",
    "requestId",
    "environment",
    "outcome",
    "errorCode",
    "severity",
    "severities",
    "errorsOnly",
    "mode",
    "from",
    "to",
    "order",
    "limit",
    "offset",
];

impl Expected {
    /// `None`: the text must be refused.
    fn of(text: &str) -> Option<Self> {
        let members = Members::only(text, &KNOWN)?;
        let mut all = Self::default();
        for (key, raw) in &members.0 {
            all.paging |= matches!(&**key, "order" | "limit" | "offset");
            if *raw != "null" {
                all = all.with(key, raw)?;
            }
        }
        Some(all)
    }

    fn with(self, key: &str, raw: &str) -> Option<Self> {
        let text = || serde_json::from_str::<String>(raw).ok();
        let instant = || OffsetDateTime::parse(&text()?, &Rfc3339).ok();
        Some(match key {
            "event" => self.text(text()?, Filters::event, CountFilters::event),
            "actorId" => self.text(text()?, Filters::actor_id, CountFilters::actor_id),
            "actorType" => self.text(text()?, Filters::actor_type, CountFilters::actor_type),
            "targetId" => self.text(text()?, Filters::target_id, CountFilters::target_id),
            "targetType" => self.text(text()?, Filters::target_type, CountFilters::target_type),
            "correlationId" => self.text(text()?, Filters::correlation_id, CountFilters::correlation_id),
            "requestId" => self.text(text()?, Filters::request_id, CountFilters::request_id),
            "environment" => self.text(text()?, Filters::environment, CountFilters::environment),
            "outcome" => self.text(text()?, Filters::outcome, CountFilters::outcome),
            "errorCode" => self.text(text()?, Filters::error_code, CountFilters::error_code),
            "severity" => self.text(text()?, Filters::severity, CountFilters::severity),
            "severities" => {
                let values: Vec<String> = serde_json::from_str(raw).ok()?;
                let nul = self.nul || values.iter().any(|value| value.contains('\0'));
                Self { nul, ..self.both(values, Filters::severities, CountFilters::severities) }
            }
            "errorsOnly" if serde_json::from_str(raw).ok()? => {
                self.both((), |filters, ()| filters.errors_only(), |filters, ()| filters.errors_only())
            }
            "mode" => {
                let mode = match &*text()? {
                    "sync" => Mode::Sync,
                    "async" => Mode::Async,
                    _ => return None,
                };
                self.both(mode, Filters::mode, CountFilters::mode)
            }
            "from" => Self { from: Some(instant()?), ..self.both(instant()?, Filters::from, CountFilters::from) },
            "to" => Self { to: Some(instant()?), ..self.both(instant()?, Filters::to, CountFilters::to) },
            "order" => {
                let order = match &*text()? {
                    "asc" => Order::Asc,
                    "desc" => Order::Desc,
                    _ => return None,
                };
                Self { filters: self.filters.order(order), ..self }
            }
            "limit" => {
                let limit = raw.parse().ok()?;
                Self { filters: self.filters.limit(limit), limit: Some(limit), ..self }
            }
            "offset" => {
                let offset = raw.parse().ok()?;
                Self { filters: self.filters.offset(offset), offset: Some(offset), ..self }
            }
            _ => self,
        })
    }

    fn both<T: Clone>(
        self,
        value: T,
        find: impl FnOnce(Filters, T) -> Filters,
        count: impl FnOnce(CountFilters, T) -> CountFilters,
    ) -> Self {
        Self { filters: find(self.filters, value.clone()), count: count(self.count, value), ..self }
    }

    fn text(
        self,
        value: String,
        find: impl FnOnce(Filters, String) -> Filters,
        count: impl FnOnce(CountFilters, String) -> CountFilters,
    ) -> Self {
        Self { nul: self.nul || value.contains('\0'), ..self.both(value, find, count) }
    }

    /// Whether the conditions can be asked at all.
    fn sound(&self) -> bool {
        let backwards = matches!((self.from, self.to), (Some(from), Some(to)) if from > to);
        let known = |at: Option<OffsetDateTime>| at.is_none_or(|at| at.checked_to_offset(UtcOffset::UTC).is_some());
        !self.nul && !backwards && known(self.from) && known(self.to)
    }

    fn assert_is(&self, filters: Filters, input: &[u8]) {
        assert!(filters == self.filters, "read otherwise than built");
        // The numbers of paging are shown.
        assert_quiet(&Shown(&filters.clone().offset(0)), input);
        let door = Door::get();
        let query = door.audit.query();
        let sized = self.limit.is_none_or(|limit| (1..=500).contains(&limit));
        let offset = self.offset.is_none_or(|offset| i64::try_from(offset).is_ok());
        let found = door.runtime.block_on(query.find_many(filters.clone()));
        assert_asked(found, self.sound() && sized && offset, input);
        let page = door.runtime.block_on(query.page(filters.clone(), None));
        assert_asked(page, self.sound() && sized && self.offset.is_none(), input);
        let first = door.runtime.block_on(query.stream(filters).next()).expect("an error comes first");
        assert_asked(first, self.sound() && self.limit != Some(0) && self.offset.is_none(), input);
    }

    fn assert_counts(&self, filters: CountFilters, input: &[u8]) {
        assert!(filters == self.count, "read otherwise than built");
        assert_quiet(&Shown(&filters), input);
        let door = Door::get();
        assert_asked(door.runtime.block_on(door.audit.query().count(filters)), self.sound(), input);
    }
}

/// A recorder has no table to read: a question in order gets as far as there, any other is refused before.
fn assert_asked<T: Debug>(answer: Result<T, Error>, sound: bool, input: &[u8]) {
    let error = answer.expect_err("there is nothing to read");
    assert_quiet(&error, input);
    match error {
        Error::Driver(_) => assert!(sound, "must be refused"),
        Error::Validation(_) => assert!(!sound, "must be asked: {error}"),
        other => panic!("neither asked nor refused: {other}"),
    }
}

/// What is shown of filters must be as quiet as an error.
struct Shown<'f, T>(&'f T);

impl<T: Debug> Debug for Shown<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Debug> std::fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
