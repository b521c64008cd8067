//! What the `metrics` facade is told: the numbers of `stats()`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use metrics::with_local_recorder;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tracevault::{Config, Event, Mode, Scope, ScopeOverrides, Stats, Tracevault};

use crate::kit::{Table, unique, url};

/// What was recorded. A snapshot takes everything away, and so they are added up.
struct Seen {
    recorder: DebuggingRecorder,
    snapshots: Snapshotter,
    totals: BTreeMap<String, f64>,
    samples: BTreeMap<String, Vec<f64>>,
}

impl Seen {
    fn new() -> Self {
        let recorder = DebuggingRecorder::new();
        let snapshots = recorder.snapshotter();
        Self { recorder, snapshots, totals: BTreeMap::new(), samples: BTreeMap::new() }
    }

    /// Makes what is to be measured by this recorder.
    fn audit(&self, config: Config) -> Tracevault {
        with_local_recorder(&self.recorder, || Tracevault::new(config).unwrap())
    }

    fn scope(&self, audit: &Tracevault, overrides: ScopeOverrides) -> Scope {
        with_local_recorder(&self.recorder, || audit.scope(overrides).unwrap())
    }

    fn look(&mut self) {
        for (key, _, description, value) in self.snapshots.snapshot().into_vec() {
            let (_, key) = key.into_parts();
            assert!(description.is_some(), "{key} is described");
            let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            let name = format!("{}{{{}}}", key.name().trim_start_matches("tracevault_"), labels.join(","));
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            match value {
                DebugValue::Counter(more) => *self.totals.entry(name).or_default() += more as f64,
                DebugValue::Gauge(more) => *self.totals.entry(name).or_default() += more.into_inner(),
                DebugValue::Histogram(more) => {
                    self.samples.entry(name).or_default().extend(more.into_iter().map(f64::from));
                }
            }
        }
    }

    fn total(&self, name: &str, labels: &str) -> f64 {
        let key = format!("{name}{{{labels}}}");
        *self.totals.get(&key).unwrap_or_else(|| panic!("{key} is not among {:?}", self.totals.keys()))
    }

    fn samples(&self, name: &str, labels: &str) -> &[f64] {
        &self.samples[&format!("{name}{{{labels}}}")]
    }

    /// Checks that all is as the scopes on a table say, which are to be at rest.
    fn agrees(&mut self, table: &str, stats: &[Stats]) {
        self.look();
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let sum = |what: fn(&Stats) -> u64| stats.iter().map(what).sum::<u64>() as f64;
        let table = format!("table={table}");
        let failed = |reason: &str| self.total("events_failed_total", &format!("{table},reason={reason}"));
        let pairs = [
            ("accepted", sum(|stats| stats.accepted), self.total("events_accepted_total", &table)),
            ("stored", sum(|stats| stats.stored), self.total("events_stored_total", &table)),
            ("retried", sum(|stats| stats.retried), self.total("events_retried_total", &table)),
            ("refused", sum(|stats| stats.failures.refused), failed("refused")),
            ("unavailable", sum(|stats| stats.failures.unavailable), failed("unavailable")),
            ("environment", sum(|stats| stats.failures.environment), failed("environment")),
            ("closed", sum(|stats| stats.failures.closed), failed("closed")),
            ("queued", sum(|stats| stats.queued), self.total("queue_records", &table)),
            ("bytes", sum(|stats| stats.queued_bytes), self.total("queue_bytes", &table)),
            ("held", sum(|stats| stats.held), self.total("queue_held", &table)),
        ];
        for (what, stats, measured) in pairs {
            assert!((stats - measured).abs() < f64::EPSILON, "{what}: {stats} by stats(), {measured} by the meters");
        }
        let oldest: f64 = stats.iter().filter_map(|stats| stats.oldest).map(|age| age.as_secs_f64()).sum();
        let measured = self.total("queue_oldest_seconds", &table);
        // Until the next step of a writer, it grows without being told.
        assert!((0.0..=oldest).contains(&measured), "{measured} by the meters, {oldest} by stats()");
    }
}

/// A configuration for which a locked table is an outage.
fn impatient(table: &Table) -> Config {
    let words = if !url().contains("://") {
        " options='-c lock_timeout=10ms'"
    } else if url().contains('?') {
        "&options=-c%20lock_timeout%3D10ms"
    } else {
        "?options=-c%20lock_timeout%3D10ms"
    };
    Config::new(url() + words).table_name(&table.name)
}

async fn lock(table: &Table) {
    table.sql.batch_execute(&format!("BEGIN; LOCK TABLE \"{}\"", table.name)).await.unwrap();
}

async fn unlock(table: &Table) {
    table.sql.batch_execute("ROLLBACK").await.unwrap();
}

fn queued(name: &str) -> Event<'_> {
    Event::new(name).mode(Mode::Async)
}

async fn retried(scope: &Scope, times: u64) {
    let before = scope.stats().retried;
    let retried = async {
        while scope.stats().retried < before + times {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), retried).await.unwrap();
}

#[tokio::test]
async fn what_is_stored_and_refused_is_counted_as_by_stats() {
    let table = Table::new("metrics").await;
    let mut seen = Seen::new();
    let audit = seen.audit(table.config());
    seen.agrees(&table.name, &[audit.stats()]);
    let trigger = format!(
        "CREATE FUNCTION \"{0}_f\"() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF NEW.event = 'bad' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER t BEFORE INSERT ON \"{0}\" FOR EACH ROW EXECUTE FUNCTION \"{0}_f\"()",
        table.name
    );
    table.sql.batch_execute(&trigger).await.unwrap();
    for _ in 0..3 {
        audit.emit("sync").await.unwrap();
        seen.agrees(&table.name, &[audit.stats()]);
    }
    for _ in 0..100 {
        audit.emit(queued("async")).await.unwrap();
    }
    audit.flush().await.unwrap();
    seen.agrees(&table.name, &[audit.stats()]);
    let label = format!("table={}", table.name);
    let batches = seen.samples("batch_records", &label);
    assert!(batches.len() < 30, "told once a batch: {batches:?}");
    assert!((batches.iter().sum::<f64>() - 103.0).abs() < f64::EPSILON, "{batches:?}");
    let seconds = seen.samples("batch_seconds", &format!("{label},outcome=stored"));
    assert_eq!(seconds.len(), batches.len());
    assert!(seconds.iter().all(|seconds| (1e-6..60.0).contains(seconds)), "{seconds:?}");
    assert_eq!(seen.samples("batch_seconds", &format!("{label},outcome=failed")), [0.0; 0]);

    assert_eq!(audit.emit("bad").await.unwrap_err().sqlstate(), Some("P0001"));
    seen.agrees(&table.name, &[audit.stats()]);
    audit.emit(queued("bad")).await.unwrap();
    audit.emit("good").await.unwrap();
    audit.close().await.unwrap();
    let stats = audit.stats();
    assert_eq!((stats.stored, stats.failures.refused), (104, 2));
    seen.agrees(&table.name, &[stats]);
    assert!(seen.samples("batch_seconds", &format!("{label},outcome=failed")).len() >= 2);
    table.drop().await;
}

#[tokio::test]
async fn an_outage_shows_while_it_lasts_and_scopes_on_one_table_add_up() {
    let table = Table::new("metrics").await;
    let mut seen = Seen::new();
    let audit = seen.audit(impatient(&table));
    let [one, other] = [(); 2].map(|()| seen.scope(&audit, ScopeOverrides::new()));
    lock(&table).await;
    for (scope, events) in [(&one, 2), (&other, 3)] {
        for _ in 0..events {
            scope.emit(queued("e")).await.unwrap();
        }
    }
    retried(&one, 4).await;
    retried(&other, 6).await;
    let label = format!("table={}", table.name);
    seen.agrees(&table.name, &[one.stats(), other.stats()]);
    assert!((seen.total("queue_records", &label) - 5.0).abs() < f64::EPSILON);
    assert!(seen.total("queue_oldest_seconds", &label) > 0.0);
    assert!(seen.samples("batch_seconds", &format!("{label},outcome=failed")).len() >= 4);
    // All that are waiting for their next attempt are held.
    while one.stats().held + other.stats().held < 5 {
        tokio::task::yield_now().await;
    }
    seen.agrees(&table.name, &[one.stats(), other.stats()]);
    assert!((seen.total("queue_held", &label) - 5.0).abs() < f64::EPSILON);

    unlock(&table).await;
    other.close().await.unwrap();
    seen.agrees(&table.name, &[one.stats(), other.stats()]);
    one.close().await.unwrap();
    seen.agrees(&table.name, &[one.stats(), other.stats()]);
    for gauge in ["queue_records", "queue_bytes", "queue_held", "queue_oldest_seconds"] {
        assert_eq!(seen.total(gauge, &label).to_bits() << 1, 0, "nothing is left in {gauge}");
    }
    assert_eq!(table.count().await, 5);
    table.drop().await;
}

#[tokio::test]
async fn what_is_given_up_is_counted_by_its_reason() {
    let table = Table::new("metrics").await;
    let mut seen = Seen::new();
    let audit = seen.audit(impatient(&table).retry_for(Duration::ZERO));
    lock(&table).await;
    audit.emit(queued("unavailable")).await.unwrap();
    audit.flush().await.unwrap();
    let before = audit.stats();
    seen.agrees(&table.name, &[before]);
    unlock(&table).await;
    let missing = unique("missing");
    let nowhere = seen.scope(&audit, ScopeOverrides::new().table_name(&missing));
    nowhere.emit("environment").await.unwrap_err();
    seen.agrees(&missing, &[nowhere.stats()]);
    assert_eq!(nowhere.stats().failures.environment, 1);

    let audit = seen.audit(table.config().close_timeout(Duration::from_millis(100)));
    lock(&table).await;
    for _ in 0..4 {
        audit.emit(queued("closed")).await.unwrap();
    }
    assert_eq!(audit.close().await.unwrap().left, 4);
    let stats = audit.stats();
    unlock(&table).await;
    assert_eq!((before.failures.unavailable, stats.failures.closed), (1, 4));
    seen.agrees(&table.name, &[before, stats]);
    table.drop().await;
}

#[tokio::test]
async fn a_schema_stands_before_the_name_and_every_name_in_the_manual() {
    let (schema, name) = (unique("schema"), unique("table"));
    let mut seen = Seen::new();
    let audit = seen.audit(Config::new(url()).schema(&schema).table_name(&name));
    audit.emit("nowhere").await.unwrap_err();
    let label = format!("{schema}.{name}");
    seen.agrees(&label, &[audit.stats()]);
    let measured = seen.totals.keys().chain(seen.samples.keys());
    let measured: BTreeSet<_> = measured.map(|key| key.split('{').next().unwrap()).collect();
    let manual = include_str!("../../src/docs/operations.md");
    let words = manual.split(|c: char| !c.is_ascii_alphabetic() && c != '_');
    let documented: BTreeSet<_> = words.filter_map(|word| word.strip_prefix("tracevault_")).collect();
    let (of_spools, documented): (BTreeSet<_>, _) = documented.into_iter().partition(|name| name.starts_with("spool_"));
    assert_eq!(measured, documented);
    // These have a test of their own.
    assert_eq!(of_spools.into_iter().collect::<Vec<_>>(), ["spool_bytes", "spool_dead_letters", "spool_records"]);
    audit.close().await.unwrap();
}

#[cfg(feature = "spool")]
#[tokio::test]
async fn what_waits_on_disk_is_told_while_nothing_is_stored() {
    let mut seen = Seen::new();
    let dir = crate::spool::Dir::new();
    let table = unique("metrics_spool");
    let config = Config::new("host=127.0.0.1 port=1 user=nobody").table_name(&table);
    let audit = seen.audit(config.spool(tracevault::SpoolConfig::new(&dir.path)));
    for _ in 0..5 {
        audit.emit(Event::new("away").mode(Mode::Async)).await.unwrap();
    }
    let labels = format!("table={table}");
    let bytes = audit.spool().unwrap().stats().bytes;
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let told =
        |seen: &Seen| (seen.total("spool_records", &labels), seen.total("spool_bytes", &labels)) == (5.0, bytes as f64);
    let is_told = async {
        loop {
            // Gauges that are set, not added to: the last one counts.
            seen.totals.clear();
            seen.look();
            if told(&seen) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), is_told).await.unwrap();
    assert!(seen.total("spool_dead_letters", &labels).abs() < 0.5);
    audit.close().await.unwrap();
}
