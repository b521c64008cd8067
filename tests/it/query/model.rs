//! Every filter, alone and combined, against a model that knows nothing of SQL.

use futures_util::TryStreamExt as _;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config as Cases, TestRunner},
};
use serde_json::{Map, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use tracevault::{
    Mode,
    query::{AuditRecord, CountFilters, Filters, Order, Query},
};
use uuid::Uuid;

use crate::{
    kit::Table,
    sql::node::{self, Made},
};

const ROWS: usize = 400;
/// So few that many rows share one: the id has to break ties.
const INSTANTS: usize = 25;

/// The text columns, and the keys of their filters.
const COLUMNS: [(&str, &str); 11] = [
    ("event", "event"),
    ("actor_id", "actorId"),
    ("actor_type", "actorType"),
    ("target_id", "targetId"),
    ("target_type", "targetType"),
    ("correlation_id", "correlationId"),
    ("request_id", "requestId"),
    ("environment", "environment"),
    ("outcome", "outcome"),
    ("error_code", "errorCode"),
    ("severity", "severity"),
];
const OUTCOME: usize = 8;
const ERROR_CODE: usize = 9;
const SEVERITY: usize = 10;

fn values(column: usize) -> &'static [&'static str] {
    match column {
        OUTCOME => &["failure", "success", "Failure"],
        SEVERITY => &["info", "error", "critical", "fatal", "ERROR"],
        // What would match too much if it were a pattern, or would end the statement if it were not bound.
        _ => &["a", "A", "%", "' OR true --"],
    }
}

#[derive(Debug, Clone)]
struct Row {
    id: Uuid,
    texts: [Option<&'static str>; 11],
    mode: Mode,
    at: i64,
}

#[derive(Debug, Clone)]
enum Condition {
    Text(usize, &'static str),
    Severities(Vec<&'static str>),
    ErrorsOnly,
    Mode(Mode),
    From(i64),
    To(i64),
}

use Condition::{ErrorsOnly, From, Severities, Text, To};

fn instant(micros: i64) -> OffsetDateTime {
    time::macros::datetime!(2026-01-31 09:30 UTC) + Duration::microseconds(micros)
}

macro_rules! apply {
    ($condition:expr, $filters:expr) => {
        match ($condition, $filters) {
            (Text(column, value), filters) => match COLUMNS[*column].0 {
                "event" => filters.event(*value),
                "actor_id" => filters.actor_id(*value),
                "actor_type" => filters.actor_type(*value),
                "target_id" => filters.target_id(*value),
                "target_type" => filters.target_type(*value),
                "correlation_id" => filters.correlation_id(*value),
                "request_id" => filters.request_id(*value),
                "environment" => filters.environment(*value),
                "outcome" => filters.outcome(*value),
                "error_code" => filters.error_code(*value),
                "severity" => filters.severity(*value),
                other => unreachable!("{other}"),
            },
            (Severities(values), filters) => filters.severities(values.iter().copied()),
            (ErrorsOnly, filters) => filters.errors_only(),
            (Condition::Mode(mode), filters) => filters.mode(*mode),
            (From(at), filters) => filters.from(instant(*at)),
            (To(at), filters) => filters.to(instant(*at)),
        }
    };
}

impl Condition {
    /// Every filter there is, with values that some rows have.
    fn each() -> Vec<Self> {
        let mut all: Vec<_> = (0..COLUMNS.len()).map(|column| Text(column, values(column)[0])).collect();
        all.extend([Severities(vec!["error", "info", "nowhere"]), ErrorsOnly, Self::Mode(Mode::Async)]);
        all.extend([From(7), To(15)]);
        all
    }

    fn any() -> impl Strategy<Value = Self> {
        let text = (0..COLUMNS.len())
            .prop_flat_map(|column| (Just(column), prop::sample::select(values(column))))
            .prop_map(|(column, value)| Text(column, value));
        prop_oneof![
            6 => text,
            1 => vec(prop::sample::select(values(SEVERITY)), 0..4).prop_map(Severities),
            1 => Just(ErrorsOnly),
            1 => prop_oneof![Just(Mode::Sync), Just(Mode::Async)].prop_map(Self::Mode),
            1 => (-1_i64..=25).prop_map(From),
            1 => (-1_i64..=25).prop_map(To),
        ]
    }

    fn holds(&self, row: &Row) -> bool {
        let is_one_of = |column: usize, values: &[&str]| row.texts[column].is_some_and(|text| values.contains(&text));
        match self {
            Text(column, value) => is_one_of(*column, &[value]),
            Severities(values) => is_one_of(SEVERITY, values),
            ErrorsOnly => is_one_of(OUTCOME, &["failure"]) || is_one_of(SEVERITY, &["error", "critical", "fatal"]),
            Self::Mode(mode) => row.mode == *mode,
            From(at) => row.at >= *at,
            To(at) => row.at <= *at,
        }
    }

    fn json(&self, object: &mut Map<String, serde_json::Value>) {
        let (key, value) = match self {
            Text(column, value) => (COLUMNS[*column].1, json!(value)),
            Severities(values) => ("severities", json!(values)),
            ErrorsOnly => ("errorsOnly", json!(true)),
            Self::Mode(mode) => ("mode", json!(mode)),
            From(at) => ("from", json!(instant(*at).format(&Rfc3339).unwrap())),
            To(at) => ("to", json!(instant(*at).format(&Rfc3339).unwrap())),
        };
        object.insert(key.to_owned(), value);
    }
}

/// The last condition on a key is the one that counts, as in the builder.
fn distinct(conditions: Vec<Condition>) -> Vec<Condition> {
    let mut kept: Vec<Condition> = Vec::new();
    let key = |condition: &Condition| match condition {
        Text(column, _) => *column,
        Severities(_) => 11,
        ErrorsOnly => 12,
        Condition::Mode(_) => 13,
        From(_) => 14,
        To(_) => 15,
    };
    for condition in conditions {
        kept.retain(|other| key(other) != key(&condition));
        kept.push(condition);
    }
    kept
}

fn filters(conditions: &[Condition]) -> Filters {
    let built = conditions.iter().fold(Filters::new(), |filters, condition| apply!(condition, filters));
    let mut object = Map::new();
    for condition in conditions {
        condition.json(&mut object);
    }
    let read: Filters = serde_json::from_value(object.into()).unwrap();
    assert_eq!(built, read, "the builder and JSON say the same");
    built
}

fn count_filters(conditions: &[Condition]) -> CountFilters {
    conditions.iter().fold(CountFilters::new(), |filters, condition| apply!(condition, filters))
}

fn expected(rows: &[Row], conditions: &[Condition], order: Order) -> Vec<Uuid> {
    let mut found: Vec<_> = rows.iter().filter(|row| conditions.iter().all(|one| one.holds(row))).collect();
    found.sort_by_key(|row| (row.at, row.id));
    if order == Order::Desc {
        found.reverse();
    }
    found.iter().map(|row| row.id).collect()
}

fn ids(records: &[AuditRecord]) -> Vec<Uuid> {
    records.iter().map(|record| record.id).collect()
}

/// From one pool of values a column, a quarter of them NULL.
fn random_rows() -> Vec<Row> {
    let mut state = Uuid::new_v4().as_u128() | 1;
    let mut pick = |below: usize| {
        state = state.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(99);
        usize::try_from((state >> 96) % below as u128).unwrap()
    };
    let mut row = || {
        let mut texts = [None; 11];
        for (column, text) in texts.iter_mut().enumerate() {
            let pool = values(column);
            let null = column != 0 && pick(4) == 0;
            *text = (!null).then(|| pool[pick(pool.len())]);
        }
        let mode = if pick(2) == 0 { Mode::Sync } else { Mode::Async };
        Row { id: Uuid::new_v4(), texts, mode, at: i64::try_from(pick(INSTANTS)).unwrap() }
    };
    (0..ROWS).map(|_| row()).collect()
}

async fn insert(table: &Table, rows: &[Row]) {
    let sql = format!(
        "INSERT INTO \"{}\" (id, event, actor_id, actor_type, target_id, target_type, correlation_id, request_id, \
         environment, data, mode, occurred_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb, $11, $12)",
        table.name
    );
    let statement = table.sql.prepare(&sql).await.unwrap();
    table.sql.batch_execute("BEGIN").await.unwrap();
    for row in rows {
        let t = &row.texts;
        let data = json!({ "outcome": t[OUTCOME], "severity": t[SEVERITY], "error": { "code": t[ERROR_CODE] } });
        let (data, mode) = (data.to_string(), if row.mode == Mode::Sync { "sync" } else { "async" });
        let at = instant(row.at);
        table
            .sql
            .execute(&statement, &[&row.id, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7], &data, &mode, &at])
            .await
            .unwrap();
    }
    table.sql.batch_execute("COMMIT").await.unwrap();
}

async fn alone_and_in_pairs(table: Table) {
    let rows = random_rows();
    insert(&table, &rows).await;
    let query = table.audit().query();
    let each = Condition::each();
    assert_eq!(each.len(), 16, "a new filter belongs here too");
    let mut sets: Vec<Vec<Condition>> = vec![Vec::new()];
    for (index, one) in each.iter().enumerate() {
        sets.push(vec![one.clone()]);
        sets.extend(each[index + 1..].iter().map(|other| vec![one.clone(), other.clone()]));
    }
    for set in sets {
        let wanted = expected(&rows, &set, Order::Desc);
        let found = query.find_many(filters(&set).limit(500)).await.unwrap();
        assert_eq!(ids(&found), wanted, "{set:?}");
        assert_eq!(query.count(count_filters(&set)).await.unwrap(), wanted.len() as u64, "{set:?}");
        if set.len() == 1 {
            assert!((1..ROWS).contains(&wanted.len()), "it must tell rows apart: {set:?}");
        }
    }
    table.drop().await;
}

#[tokio::test]
async fn every_filter_alone_and_in_pairs() {
    alone_and_in_pairs(Table::new("model").await).await;
}

#[tokio::test]
async fn every_filter_on_a_table_without_generated_columns() {
    let table = node::table(Made::ByNode0_3).await;
    table.sql.batch_execute(&format!("TRUNCATE \"{}\"", table.name)).await.unwrap();
    alone_and_in_pairs(table).await;
}

#[test]
fn any_question_has_the_answer_of_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rows = random_rows();
    let (table, query) = runtime.block_on(async {
        let table = Table::new("model").await;
        insert(&table, &rows).await;
        let query = table.audit().query();
        (table, query)
    });
    let asked = (
        vec(Condition::any(), 0..4).prop_map(distinct),
        prop_oneof![Just(Order::Asc), Just(Order::Desc)],
        prop_oneof![1_u32..=20, 21_u32..=500],
        prop_oneof![Just(None), (0_u64..40).prop_map(Some)],
    );
    let mut runner = TestRunner::new(Cases { cases: 120, failure_persistence: None, ..Cases::default() });
    let outcome = runner
        .run(&asked, |(set, order, limit, offset)| runtime.block_on(ask(&query, &rows, &set, order, limit, offset)));
    outcome.unwrap();
    runtime.block_on(table.drop());
}

async fn ask(
    query: &Query,
    rows: &[Row],
    set: &[Condition],
    order: Order,
    limit: u32,
    offset: Option<u64>,
) -> Result<(), TestCaseError> {
    let bounds = (
        set.iter().find_map(|one| if let From(at) = one { Some(*at) } else { None }),
        set.iter().find_map(|one| if let To(at) = one { Some(*at) } else { None }),
    );
    let filters = filters(set).order(order).limit(limit);
    if let (Some(from), Some(to)) = bounds
        && from > to
    {
        let error = query.find_many(filters).await.unwrap_err();
        prop_assert!(matches!(error, tracevault::Error::Validation(_)), "{error}");
        return Ok(());
    }
    let wanted = expected(rows, set, order);
    let most = limit as usize;

    let skip = usize::try_from(offset.unwrap_or(0)).unwrap();
    let many = offset.map_or(filters.clone(), |offset| filters.clone().offset(offset));
    let found = query.find_many(many).await.unwrap();
    let window: Vec<_> = wanted.iter().copied().skip(skip).take(most).collect();
    prop_assert_eq!(ids(&found), window);

    prop_assert_eq!(query.count(count_filters(set)).await.unwrap(), wanted.len() as u64);

    let mut paged = Vec::new();
    let mut cursor = None;
    loop {
        let page = query.page(filters.clone(), cursor.as_ref()).await.unwrap();
        prop_assert!(page.next.is_none() || page.records.len() == most, "only the last page is short");
        paged.extend(ids(&page.records));
        cursor = page.next;
        if cursor.is_none() || paged.len() > ROWS {
            break;
        }
        prop_assert!(paged.len() < wanted.len(), "no cursor behind the last record");
    }
    prop_assert_eq!(&paged, &wanted);

    let streamed: Vec<_> = query.stream(filters).try_collect().await.unwrap();
    prop_assert_eq!(ids(&streamed), &wanted[..most.min(wanted.len())]);
    Ok(())
}
