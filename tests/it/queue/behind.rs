//! A batch that is sent while the one before it is committed: the order stands, and so does every promise.

use std::time::Instant;

use tracevault::deadpool_postgres::Pool;

use super::*;

const BATCH: usize = 100;

/// Stored by one writer, in full batches, on connections of this pool, each batch told apart by its number.
struct Line {
    table: Table,
    audit: Tracevault,
    pool: Pool,
    /// What `on_error` was told.
    told: Arc<Mutex<Vec<Uuid>>>,
}

impl Line {
    /// `ddl` with the table's name for `TABLE_NAME`.
    async fn new(theme: &str, connections: usize, ddl: &str) -> Self {
        let table = Table::new(theme).await;
        table.sql.batch_execute(&ddl.replace("TABLE_NAME", &table.name)).await.unwrap();
        let told = Arc::<Mutex<Vec<_>>>::default();
        let teller = Arc::clone(&told);
        let config = Config::default().table_name(&table.name).async_batch_size(BATCH).queue_capacity(10_000);
        let config = config.on_error(move |_, record| teller.lock().unwrap().push(record.id()));
        let pool = crate::query::pool(connections);
        let audit = Tracevault::with_pools(pool.clone(), None, config).unwrap();
        Self { table, audit, pool, told }
    }

    /// Lets so many batches pile up behind a first record, and go.
    async fn run(&self, batches: usize) {
        hold(&self.table).await;
        self.audit.try_emit(numbered(0)).unwrap();
        writer_is_blocked(&self.table).await;
        for n in 1..=batches * BATCH {
            self.audit.try_emit(numbered(n)).unwrap();
        }
        release(&self.table).await;
    }

    /// Until all is finished, whoever looks sees what was accepted first, and nothing of what came after the first gap.
    async fn is_in_order(&self) {
        let flush = self.audit.flush();
        tokio::pin!(flush);
        let look = async || {
            let row = &self.table.select("count(*), coalesce(max((data ->> 'n')::int8), -1)", "", &[]).await[0];
            let (count, last): (i64, i64) = (row.get(0), row.get(1));
            assert_eq!(count, last + 1, "in order, none left out");
            let status = self.pool.status();
            assert!(status.size < status.max_size || status.waiting == 0, "nobody waits: {status:?}");
            count
        };
        loop {
            let seen = look().await;
            if let Some(drained) = flush.as_mut().now_or_never() {
                assert_eq!((drained.unwrap().left, seen <= look().await), (0, true));
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn holds(&self, records: usize) {
        assert_eq!(self.table.count().await, i64::try_from(records).unwrap());
        assert!(self.told.lock().unwrap().is_empty());
    }

    async fn end(self) {
        self.audit.close().await.unwrap();
        let function = format!("DROP FUNCTION IF EXISTS \"f_{}\" CASCADE", self.table.name);
        self.table.sql.batch_execute(&function).await.unwrap();
        self.table.drop().await;
    }
}

/// What a trigger does `when`, before a row is stored, or when it is committed.
fn trigger(when: &str, commits: bool, does: &str) -> String {
    let kind = if commits { "CONSTRAINT TRIGGER" } else { "TRIGGER" };
    let at = if commits { "AFTER" } else { "BEFORE" };
    let deferred = if commits { "DEFERRABLE INITIALLY DEFERRED" } else { "" };
    format!(
        "CREATE FUNCTION \"f_TABLE_NAME\"() RETURNS trigger LANGUAGE plpgsql AS $$
         DECLARE n int8 := (NEW.data ->> 'n')::int8; BEGIN IF {when} THEN {does}; END IF; RETURN NEW; END $$;
         CREATE {kind} behind {at} INSERT ON \"TABLE_NAME\" {deferred} FOR EACH ROW EXECUTE FUNCTION \"f_TABLE_NAME\"()"
    )
}

#[tokio::test]
async fn whoever_looks_sees_what_was_accepted_first() {
    // Every other batch takes long to commit.
    let line = Line::new("behind", 4, &trigger("n % 200 = 1", true, "PERFORM pg_sleep(0.03)")).await;
    line.run(20).await;
    line.is_in_order().await;
    line.holds(2_001).await;
    assert_eq!(line.pool.status().size, 2, "one is sent while the other is committed");
    line.end().await;
}

#[tokio::test]
async fn a_pool_of_one_connection_is_enough() {
    let line = Line::new("behind", 1, "").await;
    line.run(20).await;
    line.is_in_order().await;
    line.holds(2_001).await;
    line.end().await;
}

/// The last record of a batch waits for a lock that the first of the next one has taken, which is not committed before.
#[tokio::test]
async fn batches_that_wait_for_each_other_come_apart() {
    let slow = "PERFORM pg_sleep(0.002);
                IF n % 100 IN (0, 1) THEN PERFORM pg_advisory_xact_lock(hashtext('TABLE_NAME'), (n / 100)::int); END IF";
    let line = Line::new("behind", 4, &trigger("n > 0", false, slow)).await;
    line.run(6).await;
    line.is_in_order().await;
    line.holds(601).await;
    line.end().await;
}

#[tokio::test]
async fn a_connection_cut_while_it_commits_takes_the_next_batch_back() {
    let waits = "PERFORM pg_advisory_xact_lock(hashtext('TABLE_NAME'))";
    let line = Line::new("behind", 4, &trigger("n = 1", true, waits)).await;
    let lock = format!("SELECT pg_advisory_lock(hashtext('{}'))", line.table.name);
    let watcher = crate::kit::client().await;
    watcher.batch_execute(&lock).await.unwrap();
    line.run(5).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
               AND EXISTS (SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE $1)";
    let copy = format!("COPY%{}%", line.table.name);
    while watcher.query(cut, &[&copy]).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    watcher.batch_execute(&lock.replace("lock(", "unlock(")).await.unwrap();
    line.is_in_order().await;
    line.holds(501).await;
    assert!(line.audit.stats().retried >= 100);
    line.end().await;
}

/// A flush that was called before the second of them was accepted waits for the first all the same, whose commit is lost.
#[tokio::test]
async fn a_flush_waits_for_a_batch_whose_follower_is_taken_back() {
    // On a machine that is busy the follower may be taken back before anybody sees the two: then it is tried anew.
    for _ in 0..5 {
        if is_waited_for().await {
            return;
        }
    }
    panic!("the two were never seen");
}

async fn is_waited_for() -> bool {
    let waits = "PERFORM pg_advisory_xact_lock(hashtext('TABLE_NAME'))";
    let line = Line::new("behind", 4, &trigger("n = 1", true, waits)).await;
    let lock = format!("SELECT pg_advisory_lock(hashtext('{}'))", line.table.name);
    let unlock = lock.replace("lock(", "unlock(");
    let watcher = crate::kit::client().await;
    watcher.batch_execute(&lock).await.unwrap();
    hold(&line.table).await;
    line.audit.try_emit(numbered(0)).unwrap();
    writer_is_blocked(&line.table).await;
    for n in 1..=BATCH {
        line.audit.try_emit(numbered(n)).unwrap();
    }
    let mut flush = Box::pin(line.audit.flush());
    assert!(poll!(&mut flush).is_pending());
    for n in BATCH + 1..=2 * BATCH {
        line.audit.try_emit(numbered(n)).unwrap();
    }
    release(&line.table).await;
    let released = Instant::now();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
               AND EXISTS (SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE $1)";
    let copy = format!("COPY%{}%", line.table.name);
    while watcher.query(cut, &[&copy]).await.unwrap().is_empty() {
        if released.elapsed() > Duration::from_secs(3) {
            watcher.batch_execute(&unlock).await.unwrap();
            flush.await.unwrap();
            line.end().await;
            return false;
        }
        tokio::task::yield_now().await;
    }
    while line.audit.stats().retried == 0 {
        assert!(poll!(&mut flush).is_pending(), "the first batch is not stored");
        tokio::task::yield_now().await;
    }
    assert!(poll!(&mut flush).is_pending(), "the first batch is not stored");
    watcher.batch_execute(&unlock).await.unwrap();
    let drained = flush.await.unwrap();
    assert!(drained.stored > 100 && drained.left == 0, "{drained:?}");
    assert!(line.table.count().await > 100);
    line.is_in_order().await;
    line.holds(201).await;
    line.end().await;
    true
}

#[tokio::test]
async fn records_refused_in_both_batches_are_reported_and_no_other() {
    let poison = "ALTER TABLE \"TABLE_NAME\" ADD CHECK ((data ->> 'n')::int8 NOT IN (150, 250, 251, 400))";
    let line = Line::new("behind", 4, poison).await;
    line.run(5).await;
    assert_eq!(line.audit.flush().await.unwrap().left, 0);
    assert_eq!((line.table.count().await, line.told.lock().unwrap().len()), (497, 4));
    line.end().await;
}

#[tokio::test]
async fn a_close_leaves_none_of_the_two_behind() {
    let line = Line::new("behind", 4, &trigger("n % 200 = 1", true, "PERFORM pg_sleep(0.03)")).await;
    line.run(9).await;
    let drained = line.audit.close().await.unwrap();
    assert_eq!((drained.failed, drained.left), (0, 0));
    line.holds(901).await;
    line.end().await;
}
