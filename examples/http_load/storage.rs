//! Where the exchanges go, and how many went there.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};
use tracevault::{
    Config, Scope, ScopeOverrides, Tracevault,
    http::{CaptureLayer, CaptureStats},
    uuid::Uuid,
};

use crate::Outcome;

pub struct Storage {
    pub capture: CaptureLayer,
    scope: Scope,
    sql: Client,
    audit: Tracevault,
}

pub struct Before {
    began: Instant,
    stats: CaptureStats,
}

/// What became of the exchanges since then.
#[derive(Clone, Copy)]
pub struct Stored {
    /// Rows a second, until the last of them was committed.
    pub rate: f64,
    /// How many the queue had no room for.
    pub lost: u64,
    pub captured: u64,
}

impl Storage {
    pub async fn open(url: &str) -> Outcome<Self> {
        let (sql, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        let table = format!("tracevault_http_load_{}", &Uuid::new_v4().simple().to_string()[..8]);
        let audit = Tracevault::connect(Config::new(url).table_name(&table).ensure_schema(true)).await?;
        let scope = audit.scope(ScopeOverrides::new())?;
        let capture = CaptureLayer::new(scope.clone()).service_name("hello");
        Ok(Self { capture, scope, sql, audit })
    }

    pub async fn empty(&self) -> Outcome<()> {
        self.scope.flush().await?;
        Ok(self.sql.batch_execute(&format!("TRUNCATE {}", self.scope.table())).await?)
    }

    pub fn now(&self) -> Before {
        Before { began: Instant::now(), stats: self.capture.stats() }
    }

    /// Waits for what is queued. Every exchange that was captured is a row.
    pub async fn since(&self, before: Before) -> Outcome<Stored> {
        // Those that `wrk` has cut off at its end are captured a moment later.
        let now = loop {
            let now = self.capture.stats();
            tokio::time::sleep(Duration::from_millis(100)).await;
            if now == self.capture.stats() {
                break now;
            }
        };
        let drained = self.scope.flush().await?;
        let seconds = before.began.elapsed().as_secs_f64();
        let captured = now.captured - before.stats.captured;
        let row = self.sql.query_one(&format!("SELECT count(*) FROM {}", self.scope.table()), &[]).await?;
        let rows = u64::try_from(row.get::<_, i64>(0))?;
        assert_eq!((rows, drained.failed, drained.left), (captured, 0, 0), "captured, and not a row");
        let lost = now.lost - before.stats.lost;
        Ok(Stored { rate: f64::from(u32::try_from(captured)?) / seconds, lost, captured })
    }

    pub async fn clean_up(self) -> Outcome<()> {
        self.audit.close().await?;
        Ok(self.sql.batch_execute(&format!("DROP TABLE {}", self.scope.table())).await?)
    }
}
