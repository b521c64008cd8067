//! Records that PostgreSQL refuses, among others that it takes.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tracevault::{Config, ErrorClass, Event, Mode, Outcome, Tracevault};
use uuid::Uuid;

use super::{Ear, PATIENCE, Random, Server, Told, say, until};
use crate::kit;

const BATCH: usize = 500;

/// What is refused, by what the row says of itself. `refusals` counts how often the trigger refused anything, and is
/// not undone with its transaction.
const TRAPS: &str = "
    ALTER TABLE audit ADD CONSTRAINT small CHECK ((data ->> 'size')::int < 1000);
    CREATE SEQUENCE refusals;
    CREATE TABLE gate (shut bool NOT NULL);
    INSERT INTO gate VALUES (false);
    CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF (SELECT shut FROM gate) THEN
            PERFORM nextval('refusals');
            RAISE EXCEPTION 'nobody passes';
        END IF;
        IF NEW.data ->> 'size' = 'huge' THEN RAISE EXCEPTION 'refused'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER guard BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION guard()";

/// A poison of each kind, and its SQLSTATE: of the constraint, of the trigger, and of a cast that fails.
fn poison(kind: usize) -> (Value, &'static str) {
    match kind % 3 {
        0 => (json!(5_000), "23514"),
        1 => (json!("huge"), "P0001"),
        _ => (json!("x"), "22P02"),
    }
}

struct Lab {
    server: Server,
    ear: Ear,
}

impl Lab {
    async fn new() -> Self {
        kit::url();
        let lab = Self { server: Server::start(false).await, ear: Ear::default() };
        lab.server.run(TRAPS).await;
        lab
    }

    /// Whose events come to the store in one batch.
    fn audit(&self, size: usize) -> Tracevault {
        // A flush waits for as long as it takes.
        let config: Config = self.server.config().async_batch_size(size).close_timeout(PATIENCE * 5);
        Tracevault::new(self.ear.hears(config.async_flush_interval(Duration::from_secs(1)))).unwrap()
    }

    /// Emits a batch with poison at these places, and answers what must become of each.
    fn emit(audit: &Tracevault, size: usize, poisons: &HashMap<usize, usize>) -> HashMap<Uuid, Option<&'static str>> {
        let one = |n| {
            let (size, sqlstate) = poisons.get(&n).map(|kind| poison(*kind)).unzip();
            let event = Event::new("row").data(json!({ "n": n, "size": size.unwrap_or(json!(1)) }));
            (audit.try_emit(event).unwrap().id, sqlstate)
        };
        (0..size).map(one).collect()
    }

    /// All good ones are stored, each bad one is reported once, by its id and with its SQLSTATE.
    async fn check(&self, case: &str, fates: &HashMap<Uuid, Option<&'static str>>) {
        let rows = self.server.sql.query("DELETE FROM audit RETURNING id", &[]).await.unwrap();
        let stored: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        let mut told = self.ear.take();
        for id in &stored {
            assert_eq!(fates.get(id), Some(&None), "{case}: stored");
        }
        for (id, fate) in fates {
            let expected = fate.map(|sqlstate| Told {
                sqlstate: Some(sqlstate.to_owned()),
                class: Some(ErrorClass::Record),
                outcome: Outcome::Rejected,
            });
            assert_eq!(told.remove(id), expected, "{case}: reported");
        }
        assert!(told.is_empty(), "{case}: {told:?}");
        let good = fates.values().filter(|fate| fate.is_none()).count();
        assert_eq!(stored.len(), good, "{case}: all good ones are stored");
    }

    async fn shut(&self, shut: bool) {
        self.server.run(&format!("UPDATE gate SET shut = {shut}")).await;
    }

    /// Waits until the trigger has refused this often more.
    async fn refusals(&self, more: i64) {
        let count = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM refusals";
        let (target, begun) = (self.server.number(count).await + more, Instant::now());
        while self.server.number(count).await < target {
            assert!(begun.elapsed() < PATIENCE, "{} is less than {target}", self.server.number(count).await);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

#[tokio::test]
async fn poison_at_any_place_takes_no_other_with_it() {
    let lab = Lab::new().await;
    let mut random = Random::seeded();
    let seed = random.0;
    say(&format!("poison: seed {seed}"));
    let audit = lab.audit(BATCH);
    for count in 0..=20 {
        let mut poisons = HashMap::new();
        while poisons.len() < count {
            poisons.insert(random.below(BATCH), random.below(3));
        }
        let fates = Lab::emit(&audit, BATCH, &poisons);
        let flushed = audit.flush().await.unwrap();
        assert_eq!((flushed.stored, flushed.failed), ((BATCH - count) as u64, count as u64), "{count} in {seed}");
        lab.check(&format!("{count} poisons, seed {seed}"), &fates).await;
    }
    let stats = audit.stats();
    assert_eq!((stats.failures.refused, stats.failed, stats.queued), (210, 210, 0));
}

#[tokio::test]
async fn poison_at_the_ends_or_everywhere() {
    let lab = Lab::new().await;
    let everywhere: Vec<usize> = (0..60).collect();
    let places: [(&str, usize, &[usize]); 7] = [
        ("the first", BATCH, &[0]),
        ("the last", BATCH, &[BATCH - 1]),
        ("both ends", BATCH, &[0, BATCH - 1]),
        ("all but the last", 60, &everywhere[..59]),
        ("all but the first", 60, &everywhere[1..]),
        ("all", 60, &everywhere),
        ("a lone one", 1, &[0]),
    ];
    for (case, size, places) in places {
        // A root that has stored nothing before, and knows of no record that the table takes.
        let audit = lab.audit(size);
        let fates = Lab::emit(&audit, size, &places.iter().map(|place| (*place, *place)).collect());
        assert_eq!(audit.flush().await.unwrap().left, 0, "{case}");
        lab.check(case, &fates).await;
        audit.close().await.unwrap();
    }
    let audit = lab.audit(BATCH);
    let fates = Lab::emit(&audit, BATCH, &(0..BATCH).map(|n| (n, n)).collect());
    assert_eq!(audit.flush().await.unwrap().left, 0);
    lab.check("all 500", &fates).await;
}

#[tokio::test]
async fn a_table_that_refuses_everything_blames_nobody() {
    let lab = Lab::new().await;
    for (case, witness, poisons) in [
        ("nothing was stored before", false, HashMap::new()),
        ("it took others before", true, HashMap::new()),
        ("a true poison is among them", false, HashMap::from([(17, 0)])),
        ("poison, and it took others before", true, HashMap::from([(0, 2), (23, 1), (39, 0)])),
    ] {
        let size = 40;
        let audit = lab.audit(size);
        if witness {
            audit.emit(Event::new("row").data(json!({ "size": 1 }))).await.unwrap();
            lab.server.run("DELETE FROM audit").await;
        }
        lab.shut(true).await;
        let fates = Lab::emit(&audit, size, &poisons);
        // Each of them alone (of a batch of n, 2n - 1 parts are refused), and some once more.
        lab.refusals(2 * i64::try_from(size).unwrap() + 4).await;
        until(&audit, case, |stats| stats.held == size as u64).await;
        let stats = audit.stats();
        assert_eq!((lab.ear.count(), stats.queued, stats.failed), (0, size as u64, 0), "{case}: {stats:?}");
        let more = audit.emit(Event::new("row").mode(Mode::Async).data(json!({ "size": 1 }))).await.unwrap().id;
        lab.refusals(3).await;
        assert_eq!((lab.ear.count(), audit.stats().queued), (0, size as u64 + 1), "{case}");

        lab.shut(false).await;
        let stats = until(&audit, case, |stats| stats.queued == 0).await;
        assert_eq!(stats.failures.refused, poisons.len() as u64, "{case}: {stats:?}");
        let fates = fates.into_iter().chain([(more, None)]).collect();
        lab.check(case, &fates).await;
        audit.close().await.unwrap();
    }
}
