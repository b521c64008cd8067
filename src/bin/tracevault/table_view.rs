//! Records as a table of aligned columns, or as one card. Text in them is inert.

use tracevault::{
    query::AuditRecord,
    time::{OffsetDateTime, macros::format_description},
};

use crate::printable::{cut, escaped, width};

/// Between two columns.
const GAP: usize = 2;
/// A column that may be cut gets at least so much, if it is shown.
const LEAST: usize = 18;
/// Of a screen that is none.
const USUAL_SCREEN: usize = 100;

type Text = fn(&AuditRecord) -> String;

/// What may be shown, from left to right: title, text, whether it may be cut, and its rank when room is short.
const COLUMNS: [(&str, Text, bool, u8); 10] = [
    ("OCCURRED AT", |record| second(record.occurred_at), false, 0),
    ("EVENT", |record| record.event.clone(), true, 1),
    ("ACTOR", |record| party(record.actor_id.as_ref(), record.actor_type.as_ref()), true, 2),
    ("TARGET", |record| party(record.target_id.as_ref(), record.target_type.as_ref()), true, 3),
    ("OUTCOME", |record| text(record.outcome.as_ref()), true, 5),
    ("SEVERITY", |record| text(record.severity.as_ref()), true, 6),
    ("ERROR CODE", |record| text(record.error_code.as_ref()), true, 7),
    ("ENVIRONMENT", |record| text(record.environment.as_ref()), true, 8),
    ("CORRELATION ID", |record| text(record.correlation_id.as_ref()), true, 9),
    ("ID", |record| record.id.to_string(), false, 4),
];

/// The columns that fit.
pub(crate) struct TableView(Vec<Column>);

struct Column {
    title: &'static str,
    text: Text,
    natural: usize,
    width: usize,
}

impl TableView {
    /// Made for these records, and for others like them. Columns that are empty in all of them are left out, and so
    /// are the less important ones where the screen is too narrow.
    pub(crate) fn of(records: &[AuditRecord], screen: usize) -> Self {
        let mut candidates = Vec::new();
        for (place, (title, text, may_be_cut, rank)) in COLUMNS.into_iter().enumerate() {
            let longest = records.iter().map(|record| width(&escaped(&text(record)))).max().unwrap_or_default();
            if longest > 0 {
                let natural = longest.max(title.len());
                let width = if may_be_cut { natural.min(LEAST) } else { natural };
                candidates.push((rank, place, Column { title, text, natural, width }));
            }
        }
        candidates.sort_by_key(|(rank, ..)| *rank);
        let mut left = screen + GAP;
        candidates.retain(|(rank, _, column)| {
            let room = left.checked_sub(column.width + GAP);
            left = room.unwrap_or(left);
            room.is_some() || *rank < 2
        });
        while left > 0 {
            let shortest = candidates.iter_mut().map(|(.., column)| column).max_by_key(|c| c.natural - c.width);
            let Some(column) = shortest.filter(|column| column.width < column.natural) else { break };
            column.width += 1;
            left -= 1;
        }
        candidates.sort_by_key(|(_, place, _)| *place);
        Self(candidates.into_iter().map(|(.., column)| column).collect())
    }

    pub(crate) fn head(&self) -> String {
        self.line(|column| column.title.to_owned())
    }

    pub(crate) fn row(&self, record: &AuditRecord) -> String {
        self.line(|column| escaped(&(column.text)(record)))
    }

    fn line(&self, cell: impl Fn(&Column) -> String) -> String {
        let mut line = String::new();
        for column in &self.0 {
            let cell = cut(&cell(column), column.width);
            let padding = column.width.saturating_sub(width(&cell)) + GAP;
            line.push_str(&cell);
            line.extend(std::iter::repeat_n(' ', padding));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Everything about one record, a field a line.
pub(crate) fn one(record: &AuditRecord) -> String {
    let json = |json: Option<&tracevault::query::Json>| json.map(ToString::to_string).unwrap_or_default();
    let fields = [
        ("id", record.id.to_string()),
        ("event", record.event.clone()),
        ("occurred at", exact(record.occurred_at)),
        ("actor", party(record.actor_id.as_ref(), record.actor_type.as_ref())),
        ("target", party(record.target_id.as_ref(), record.target_type.as_ref())),
        ("outcome", text(record.outcome.as_ref())),
        ("severity", text(record.severity.as_ref())),
        ("error code", text(record.error_code.as_ref())),
        ("environment", text(record.environment.as_ref())),
        ("correlation id", text(record.correlation_id.as_ref())),
        ("request id", text(record.request_id.as_ref())),
        ("mode", record.mode.clone()),
        ("stored at", exact(record.created_at)),
        ("data", json(record.data.as_ref())),
        ("meta", json(record.meta.as_ref())),
    ];
    let shown = fields.iter().filter(|(_, value)| !value.is_empty());
    shown.map(|(name, value)| format!("{name:<16}{}", escaped(value))).collect::<Vec<_>>().join("\n")
}

/// The terminal's width, else the usual one.
pub(crate) fn screen() -> usize {
    terminal_size::terminal_size().map_or(USUAL_SCREEN, |(columns, _)| usize::from(columns.0))
}

fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_default()
}

fn party(id: Option<&String>, kind: Option<&String>) -> String {
    match (id, kind) {
        (Some(id), Some(kind)) => format!("{id} ({kind})"),
        _ => text(id.or(kind)),
    }
}

fn second(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z")).unwrap_or_default()
}

fn exact(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z"))
        .unwrap_or_default()
}
