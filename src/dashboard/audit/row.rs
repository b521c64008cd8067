//! A record, as a line of a list.

use time::{
    OffsetDateTime, UtcOffset,
    format_description::{BorrowedFormatItem, StaticFormatDescription},
    macros::format_description,
};

use super::{ask::AuditAsk, change::Change, qualifier::Qualifier};
use crate::{moment, query::AuditRecord};

/// To the millisecond, for lists.
const BRIEF: StaticFormatDescription =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]");
/// To the microsecond, as it is stored.
const WHOLE: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:6] UTC");
const DAY: StaticFormatDescription = format_description!("[weekday], [day padding:none] [month repr:long] [year]");

/// A moment, in UTC.
#[derive(Debug)]
pub(super) struct Shown {
    /// For programs.
    pub(super) iso: String,
    pub(super) text: String,
}

impl Shown {
    fn by(at: OffsetDateTime, format: StaticFormatDescription) -> Self {
        let at = at.to_offset(UtcOffset::UTC);
        let iso = rfc3339(at);
        Self { text: at.format(format).unwrap_or_else(|_| iso.clone()), iso }
    }

    pub(super) fn brief(at: OffsetDateTime) -> Self {
        Self::by(at, BRIEF)
    }

    pub(super) fn whole(at: OffsetDateTime) -> Self {
        Self::by(at, WHOLE)
    }
}

pub(super) fn rfc3339(at: OffsetDateTime) -> String {
    moment::rfc3339(at).unwrap_or_default()
}

/// An actor or a target; what leads to others of the same.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) href: String,
}

/// A value that may be filtered by.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) href: String,
}

/// A line.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) href: String,
    pub(super) at: Shown,
    pub(super) event: String,
    pub(super) actor: Option<Party>,
    pub(super) target: Option<Party>,
    pub(super) environment: Option<Cell>,
    pub(super) outcome: Option<Cell>,
    pub(super) severity: Option<Cell>,
    /// What changed, where the list shows it.
    pub(super) change: Option<Change>,
}

/// The lines of a day; of a list that does not part them, all.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) name: Option<String>,
    pub(super) rows: Vec<Row>,
}

impl Row {
    /// `here` is the page's own address, without parameters.
    pub(super) fn of(record: &AuditRecord, ask: &AuditAsk, base: &str, here: &str, with_change: bool) -> Self {
        let filter = |changes: &[(Qualifier, Option<&str>)]| format!("{here}{}", ask.with(changes));
        let party = |id: &Option<String>, kind: &Option<String>, by: [Qualifier; 2]| {
            let (id, kind) = (id.clone()?, kind.clone());
            let href = filter(&[(by[0], Some(&id)), (by[1], kind.as_deref())]);
            Some(Party { href, id, kind: kind.unwrap_or_default() })
        };
        let cell = |value: &Option<String>, by| {
            let text = value.clone()?;
            Some(Cell { href: filter(&[(by, Some(&text))]), text })
        };
        let data = record.data.as_ref().filter(|_| with_change);
        Self {
            id: record.id.to_string(),
            href: format!("{base}/audit/{}{}", record.id, ask.first()),
            at: Shown::brief(record.occurred_at),
            event: record.event.clone(),
            actor: party(&record.actor_id, &record.actor_type, [Qualifier::Actor, Qualifier::ActorType]),
            target: party(&record.target_id, &record.target_type, [Qualifier::Target, Qualifier::TargetType]),
            environment: cell(&record.environment, Qualifier::Environment),
            outcome: cell(&record.outcome, Qualifier::Outcome),
            severity: cell(&record.severity, Qualifier::Severity),
            change: data.and_then(|data| Change::brief(data.as_str())),
        }
    }
}

impl Day {
    /// Lines, by the days of UTC that they are of.
    pub(super) fn group(rows: impl IntoIterator<Item = (OffsetDateTime, Row)>) -> Vec<Self> {
        let mut days: Vec<Self> = Vec::new();
        for (at, row) in rows {
            let name = Shown::by(at, DAY).text;
            match days.last_mut().filter(|day| day.name.as_ref() == Some(&name)) {
                Some(day) => day.rows.push(row),
                None => days.push(Self { name: Some(name), rows: vec![row] }),
            }
        }
        days
    }

    /// Lines, as they come.
    pub(super) fn all(rows: impl IntoIterator<Item = (OffsetDateTime, Row)>) -> Vec<Self> {
        let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
        if rows.is_empty() { Vec::new() } else { vec![Self { name: None, rows }] }
    }
}
