//! The story's tables: named at random, so that nobody else's is touched.

use tracevault::{deadpool_postgres::Pool, generate_init_sql, uuid::Uuid};

use super::Told;

#[derive(Clone)]
pub(super) struct Tables {
    pub(super) audit: String,
    pub(super) payments: String,
}

impl Tables {
    pub(super) fn new() -> Self {
        let random = Uuid::new_v4().simple().to_string();
        let audit = format!("tracevault_quickstart_{}", &random[..8]);
        Self { payments: format!("{audit}_payments"), audit }
    }

    pub(super) async fn create(&self, pool: &Pool) -> Told {
        let client = pool.get().await?;
        for table in [&self.audit, &self.payments] {
            client.batch_execute(&generate_init_sql(table)?).await?;
        }
        Ok(())
    }

    pub(super) async fn drop(&self, pool: &Pool) -> Told {
        let sql = format!("DROP TABLE IF EXISTS {}, {}", self.audit, self.payments);
        Ok(pool.get().await?.batch_execute(&sql).await?)
    }
}
