//! What came of all that emitters acknowledged, by plain SQL.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    time::{Duration, Instant},
};

use tokio_postgres::Client;
use tracevault::{ScopeOverrides, SpoolSync, Tracevault, generate_init_sql, spool};
use uuid::Uuid;

use super::emitter;
use crate::kit;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Tables that number their rows in the order in which they were inserted.
pub async fn tables(sql: &Client, theme: &str) -> Vec<String> {
    let tables: Vec<String> = (0..3).map(|_| kit::unique(theme)).collect();
    for table in &tables {
        sql.batch_execute(&generate_init_sql(table).unwrap()).await.unwrap();
        sql.batch_execute(&format!("ALTER TABLE {table} ADD COLUMN at BIGSERIAL")).await.unwrap();
    }
    tables
}

/// Delivers all that is there, and finds the directory sound before and after.
pub async fn drain(url: &str, dir: &Path, tables: &[String]) {
    let found = spool::check(dir).unwrap();
    assert!(found.damage.is_empty() && found.remarks.is_empty(), "{found:?}");
    let audit = Tracevault::new(emitter::config(url, dir, SpoolSync::Always).table_name(&tables[0])).unwrap();
    let scope = |table: &String| audit.scope(ScopeOverrides::new().table_name(table)).unwrap();
    let scopes: Vec<_> = tables.iter().map(scope).collect();
    let spool = audit.spool().unwrap();
    assert!(spool.recovery().damage.is_empty(), "{:?}", spool.recovery());
    let begun = Instant::now();
    while spool.stats().records > 0 {
        assert!(begun.elapsed() < PATIENCE, "{:?}, {:?}", spool.stats(), audit.stats());
        for scope in &scopes {
            scope.flush().await.unwrap();
        }
    }
    let stats = spool.stats();
    assert_eq!((stats.records, stats.dead_letters, stats.damaged), (0, 0, 0), "{stats:?}");
    let closed = audit.close().await.unwrap();
    assert_eq!((closed.failed, closed.left, closed.spooled), (0, 0, 0));
    for listed in spool::list(dir).unwrap() {
        assert_eq!((listed.records, listed.segments, listed.dead_letters, listed.damaged_files), (0, 0, 0, 0));
    }
}

/// What the tables hold, against what was acknowledged.
#[derive(Debug)]
pub struct Figures {
    pub acknowledged: usize,
    pub rows: usize,
    pub lost: Vec<Uuid>,
    /// Where a table goes back in the events of one task.
    pub back: Vec<String>,
}

impl Figures {
    /// Nothing is lost, and everything is in order.
    pub fn assert(&self, seed: u64) {
        assert!(self.lost.is_empty(), "acknowledged and lost: {:?}; seed {seed}", self.lost);
        assert!(self.back.is_empty(), "not in order: {:?}; seed {seed}", self.back);
    }
}

/// Asserts that nothing is there twice.
pub async fn figures(sql: &Client, tables: &[String], acknowledged: &[Uuid]) -> Figures {
    let mut stored = HashSet::new();
    let (mut rows, mut events, mut back) = (0, HashSet::new(), Vec::new());
    for table in tables {
        let all = format!("SELECT id, (data->>'task')::int8, (data->>'n')::int8 FROM {table} ORDER BY at");
        let mut last: HashMap<i64, i64> = HashMap::new();
        for row in sql.query(&all, &[]).await.unwrap() {
            let (id, task, n): (Uuid, i64, i64) = (row.get(0), row.get(1), row.get(2));
            rows += 1;
            stored.insert(id);
            events.insert((task, n));
            if let Some(before) = last.insert(task, n).filter(|before| *before >= n) {
                back.push(format!("{table} in task {task}: {n} after {before}"));
            }
        }
    }
    assert_eq!((stored.len(), events.len()), (rows, rows), "each id and each event once");
    let distinct: HashSet<_> = acknowledged.iter().collect();
    assert_eq!(distinct.len(), acknowledged.len(), "no id is acknowledged twice");
    let lost = acknowledged.iter().filter(|id| !stored.contains(*id)).copied().collect();
    Figures { acknowledged: acknowledged.len(), rows, lost, back }
}
