//! A connection that no longer knows a prepared statement, or knows another of its name: as behind a pooler.

use deadpool_postgres::{Manager, Pool};
use tokio_postgres::NoTls;
use tracevault::{Config, ErrorClass, Tracevault};

use crate::endurance::{Ear, Server};

struct Borrowed {
    server: Server,
    pool: Pool,
    audit: Tracevault,
    ear: Ear,
}

impl Borrowed {
    /// A pool with one connection.
    async fn new() -> Self {
        crate::kit::url();
        let server = Server::start(false).await;
        let config = server.cluster.connection_string().parse().unwrap();
        let pool = Pool::builder(Manager::new(config, NoTls)).max_size(1).build().unwrap();
        let ear = Ear::default();
        let audit =
            Tracevault::with_pools(pool.clone(), None, ear.hears(Config::default().table_name("audit"))).unwrap();
        Self { server, pool, audit, ear }
    }

    async fn check(&self, expected: i64) {
        let stats = self.audit.stats();
        assert_eq!((stats.retried, stats.last_error), (1, Some(ErrorClass::Statement)), "once, and then without names");
        assert_eq!(self.server.number("SELECT count(*) FROM audit").await, expected);
        assert_eq!((stats.failed, self.ear.count()), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_is_gone_26000() {
    let borrowed = Borrowed::new().await;
    borrowed.audit.emit("before").await.unwrap();
    borrowed.pool.get().await.unwrap().batch_execute("DEALLOCATE ALL").await.unwrap();
    borrowed.audit.emit("after").await.unwrap();
    borrowed.audit.emit("later").await.unwrap();
    borrowed.check(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_is_there_already_42p05() {
    let borrowed = Borrowed::new().await;
    {
        // The driver counts its names up, over all connections of the process.
        let client = borrowed.pool.get().await.unwrap();
        let _counted = client.prepare("SELECT 1").await.unwrap();
        let names = "DO $$ DECLARE last int; BEGIN
            SELECT max(substr(name, 2)::int) INTO last FROM pg_prepared_statements;
            FOR n IN last + 1 .. last + 3000 LOOP EXECUTE format('PREPARE s%s AS SELECT 1', n); END LOOP;
        END $$";
        client.batch_execute(names).await.unwrap();
    }
    borrowed.audit.emit("before").await.unwrap();
    borrowed.audit.emit("after").await.unwrap();
    borrowed.check(2).await;
}
