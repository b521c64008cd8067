//! Traffic: rows by plain SQL, and every answer beside a plain SQL count over them.

mod check;
mod days;
mod edges;
mod forget;
#[cfg(feature = "axum")]
mod layer;
mod reading;
mod rollups;
mod route;
mod schema;
mod writing;

use deadpool_postgres::{Manager, Pool};
use tokio_postgres::{Client, NoTls};
use tracevault::{
    deadpool_postgres, generate_init_sql,
    time::OffsetDateTime,
    tokio_postgres,
    traffic::{Traffic, TrafficBuilder},
};

use crate::kit::{self, unique};

/// A traffic table of one test.
pub struct Site {
    pub name: String,
    pub sql: Client,
    pub traffic: Traffic,
}

/// A pool whose sessions live in New York, where days are not those of UTC and some have 23 hours.
pub fn pool() -> Pool {
    pool_at(&kit::url(), "")
}

pub fn pool_at(url: &str, application: &str) -> Pool {
    let mut config: tokio_postgres::Config = url.parse().unwrap();
    config.options("-c TimeZone=America/New_York").application_name(application);
    Pool::builder(Manager::new(config, NoTls)).max_size(8).build().unwrap()
}

impl Site {
    /// That rolls up when it is told to.
    pub async fn new(theme: &str) -> Self {
        Self::with(theme, |builder| builder).await
    }

    pub async fn with(theme: &str, options: impl FnOnce(TrafficBuilder) -> TrafficBuilder) -> Self {
        let name = unique(theme);
        // By that name its connections are found, to be cut.
        let builder = Traffic::builder(pool_at(&kit::url(), &name)).table_name(&name).roll_up(false);
        let traffic = options(builder).build().unwrap();
        traffic.ensure_schema().await.unwrap();
        Self { name, sql: kit::client().await, traffic }
    }

    /// Runs SQL in which `@` stands for the table's name.
    pub async fn run(&self, sql: &str) {
        self.sql.batch_execute(&sql.replace('@', &self.name)).await.unwrap();
    }

    pub async fn one<T: for<'r> tokio_postgres::types::FromSql<'r>>(&self, sql: &str) -> T {
        self.sql.query_one(&sql.replace('@', &self.name), &[]).await.unwrap().get(0)
    }

    /// So many requests at random moments of a range, of a dozen routes, by twenty users and by nobody.
    pub async fn fill(&self, rows: u32, from: OffsetDateTime, seconds: i64) {
        let sql = format!(
            "INSERT INTO \"{}\" (started_at, ended_at, duration_us, is_slow, method, route, rollup_route, original_url, \
             status_code, user_id, user_name, user_email, session_id, ip, user_agent, weight) \
             SELECT at, at + us * interval '1 us', us, us >= 1000000, CASE WHEN kind % 4 = 0 THEN 'POST' ELSE 'GET' END, \
             '/r/' || kind, CASE WHEN kind = 11 THEN '<unmatched>' END, '/r/' || kind || '?x=1', \
             (ARRAY[200, 200, 200, 201, 204, 302, 304, 404, 403, 499, 500, 503])[1 + (random() * 11.49)::int], \
             CASE WHEN who > 0 THEN 'u' || who END, CASE WHEN who > 0 THEN 'Name ' || who END, \
             CASE WHEN who % 3 = 0 THEN who || '@example.com' END, CASE WHEN who > 0 THEN 's' || (who % 5) END, \
             CASE WHEN who % 2 = 1 THEN '192.0.2.' || who END, CASE WHEN who % 2 = 0 THEN 'agent ' || who END, weight \
             FROM (SELECT $1::timestamptz + floor(random() * {seconds}000000)::bigint * interval '1 us' AS at, \
             floor(exp(random() * 15))::bigint AS us, (random() * 11)::int AS kind, \
             greatest(0, (random() * 24)::int - 4) AS who, 1 + (random() * 2)::int AS weight \
             FROM generate_series(1, {rows})) AS one",
            self.name
        );
        self.sql.execute(&sql, &[&from]).await.unwrap();
    }

    /// Passes until nothing that is over is marked.
    pub async fn roll(&self) {
        let due = "SELECT count(*) FROM \"@_marks\" WHERE at < date_trunc('minute', now() - interval '2 s') \
                   AND (level = 0 OR level = 1 AND at < now() - interval '62 minutes')";
        loop {
            self.traffic.roll_up().await.unwrap().expect("nobody else rolls up");
            if self.one::<i64>(due).await == 0 {
                return;
            }
        }
    }

    pub async fn drop(self) {
        let tables = "SELECT string_agg(format('%I', relname), ', ') FROM pg_class WHERE relkind IN ('r', 'p') \
                      AND relname LIKE '@\\_%' AND NOT relispartition";
        let tables: String = self.one(tables).await;
        self.run(&format!("DROP TABLE \"@\", {tables}; DROP FUNCTION \"@_mark\", \"@_make_day\"")).await;
    }
}

/// The audit table's DDL has nothing to do with it.
#[tokio::test]
async fn an_audit_table_and_a_traffic_table_of_similar_names_live_together() {
    let site = Site::new("beside").await;
    let audit = format!("{}_audit", site.name);
    site.run(&generate_init_sql(&audit).unwrap()).await;
    site.traffic.ensure_schema().await.unwrap();
    site.run("DROP TABLE \"@_audit\"").await;
    site.drop().await;
}
