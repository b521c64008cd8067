//! Cursors: as text, and bound to the question that they belong to.
#![no_main]

use std::fmt::Write as _;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tracevault::{
    Error, Mode,
    query::{Cursor, Filters, Order, Query},
    time::OffsetDateTime,
    uuid::Uuid,
};
use tracevault_fuzz::{door::Door, leak::assert_quiet};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    text: &'a str,
    /// Where the text is put into a cursor, and in place of how many bytes.
    at: u8,
    over: u8,
    micros: i64,
    id: u128,
    question: Question<'a>,
    edit: Edit<'a>,
}

/// All that filters hold, but for the limit.
#[derive(Arbitrary, Debug, Clone, PartialEq)]
struct Question<'a> {
    texts: [Option<&'a str>; 11],
    severities: Option<Vec<&'a str>>,
    errors_only: bool,
    asynchronous: Option<bool>,
    from: Option<i64>,
    to: Option<i64>,
    ascending: bool,
}

/// What makes it another question, or leaves it as it is.
#[derive(Arbitrary, Debug)]
enum Edit<'a> {
    Limit(u16),
    Text(u8, Option<&'a str>),
    Swap(u8, u8),
    Severities(Option<Vec<&'a str>>),
    SeverityInTheList,
    ErrorsOnly(bool),
    Mode(Option<bool>),
    From(Option<i64>),
    To(Option<i64>),
    Ascending(bool),
    Table,
}

fuzz_target!(|input: Input<'_>| {
    let Input { text, at, over, micros, id, question, edit } = input;
    read(text);
    let made = format!("1.{micros}.{id:032x}.{:032x}", question.digest());
    let from = usize::from(at) % (made.len() + 1);
    let to = (from + usize::from(over % 4)).min(made.len());
    read(&format!("{}{text}{}", &made[..from], &made[to..]));
    read(&made.to_uppercase());
    read(&format!("{made}.{text}"));
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
    let Ok(cursor) = made.parse::<Cursor>() else { return assert!(at.is_err(), "a time that there is") };
    let at = at.expect("no such time");
    assert_eq!(cursor.to_string(), made);

    let query = Door::get().audit.query();
    // PostgreSQL's time begins there, and its texts have no NUL.
    let asked = at.unix_timestamp() >= -210_866_803_200 && question.sound();
    assert_eq!(asks(&query, question.filters(), &cursor), if asked { Answer::Asked } else { Answer::Refused });

    let (mut other, mut limit, mut table) = (question.clone(), 50, query.clone());
    match edit {
        Edit::Limit(to) => limit = u32::from(to % 500) + 1,
        Edit::Text(which, to) => other.texts[usize::from(which) % 11] = to,
        Edit::Swap(one, two) => other.texts.swap(usize::from(one) % 11, usize::from(two) % 11),
        Edit::Severities(to) => other.severities = to,
        Edit::SeverityInTheList => other.severities = other.texts[10].take().map(|severity| vec![severity]),
        Edit::ErrorsOnly(to) => other.errors_only = to,
        Edit::Mode(to) => other.asynchronous = to,
        Edit::From(to) => other.from = to,
        Edit::To(to) => other.to = to,
        Edit::Ascending(to) => other.ascending = to,
        Edit::Table => table = query.scope("other").unwrap(),
    }
    let answer = asks(&table, other.filters().limit(limit), &cursor);
    if other == question && table.table() == query.table() {
        assert_eq!(answer, if asked { Answer::Asked } else { Answer::Refused });
    } else {
        assert_eq!(answer, Answer::NotBound);
    }
});

/// What is read is shown as pages give it, which is read again as the same.
fn read(text: &str) {
    match text.parse::<Cursor>() {
        Ok(cursor) => {
            let shown = cursor.to_string();
            assert_eq!(shown.parse::<Cursor>().unwrap(), cursor);
            let parts: Vec<_> = text.split('.').collect();
            let micros: i64 = parts[1].parse().unwrap();
            let given = format!("1.{micros}.{}.{}", parts[2].to_lowercase(), parts[3].to_lowercase());
            assert_eq!((parts.len(), parts[0], given), (4, "1", shown));
        }
        Err(error) => {
            assert!(matches!(error, Error::Validation(_)));
            assert_quiet(&error, text.as_bytes());
        }
    }
}

#[derive(Debug, PartialEq)]
enum Answer {
    /// It got as far as the table, which a recorder has not.
    Asked,
    Refused,
    /// The cursor belongs elsewhere.
    NotBound,
}

fn asks(query: &Query, filters: Filters, cursor: &Cursor) -> Answer {
    let page = Door::get().runtime.block_on(query.page(filters, Some(cursor)));
    match page.expect_err("there is nothing to read") {
        Error::Driver(_) => Answer::Asked,
        Error::Validation(error) if error.path() == "cursor" && error.reason().contains("belongs to") => {
            Answer::NotBound
        }
        Error::Validation(_) => Answer::Refused,
        other => panic!("neither asked nor refused: {other}"),
    }
}

const COLUMNS: [&str; 11] = [
    "event",
    "actor_id",
    "actor_type",
    "target_id",
    "target_type",
    "correlation_id",
    "request_id",
    "environment",
    "outcome",
    "error_code",
    "severity",
];

/// Nanoseconds since 1970, so that some times differ by less than a microsecond.
fn instant(nanos: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanos)).unwrap()
}

impl Question<'_> {
    fn filters(&self) -> Filters {
        let setters: [fn(Filters, String) -> Filters; 11] = [
            Filters::event,
            Filters::actor_id,
            Filters::actor_type,
            Filters::target_id,
            Filters::target_type,
            Filters::correlation_id,
            Filters::request_id,
            Filters::environment,
            Filters::outcome,
            Filters::error_code,
            Filters::severity,
        ];
        let mut filters = Filters::new().order(if self.ascending { Order::Asc } else { Order::Desc });
        for (set, text) in setters.into_iter().zip(self.texts) {
            if let Some(text) = text {
                filters = set(filters, text.to_owned());
            }
        }
        if let Some(severities) = &self.severities {
            filters = filters.severities(severities.iter().copied());
        }
        if self.errors_only {
            filters = filters.errors_only();
        }
        if let Some(mode) = self.mode() {
            filters = filters.mode(mode);
        }
        if let Some(from) = self.from {
            filters = filters.from(instant(from));
        }
        if let Some(to) = self.to {
            filters = filters.to(instant(to));
        }
        filters
    }

    fn mode(&self) -> Option<Mode> {
        self.asynchronous.map(|asynchronous| if asynchronous { Mode::Async } else { Mode::Sync })
    }

    fn sound(&self) -> bool {
        let severities = self.severities.iter().flatten();
        let nul = self.texts.iter().flatten().chain(severities).any(|text| text.contains('\0'));
        !nul && !matches!((self.from, self.to), (Some(from), Some(to)) if from > to)
    }

    /// As the format has it, which must stay, since cursors outlive processes.
    fn digest(&self) -> u128 {
        let mut text = format!("\"audit_logs\"\n{}\n", !self.ascending);
        let mut part = |name: &str, value: &str| writeln!(text, "{name} {} {value}", value.len()).unwrap();
        for (column, value) in COLUMNS.iter().zip(self.texts) {
            value.into_iter().for_each(|value| part(column, value));
        }
        self.mode().into_iter().for_each(|mode| part("mode", mode.as_str()));
        if let Some(severities) = &self.severities {
            part("severities", &severities.len().to_string());
            severities.iter().for_each(|severity| part("severity", severity));
        }
        part("errors_only", if self.errors_only { "1" } else { "0" });
        part("from", &self.from.map(|at| at.to_string()).unwrap_or_default());
        part("to", &self.to.map(|at| at.to_string()).unwrap_or_default());
        Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).as_u128()
    }
}
