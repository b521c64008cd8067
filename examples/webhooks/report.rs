//! What became of a file.

use std::{collections::HashSet, time::Duration};

use tracevault::{Receipt, TableName, uuid::Uuid};

use crate::common::{Sandbox, Shown};

#[derive(Default)]
pub(crate) struct Report {
    /// Everything that is in the table now, by this run or by one before.
    pub(crate) ids: HashSet<Uuid>,
    pub(crate) stored: usize,
    pub(crate) known: usize,
    pub(crate) refused: Vec<(usize, String)>,
}

impl Report {
    pub(crate) fn add(&mut self, line: usize, answer: Result<Receipt, String>) {
        match answer {
            Ok(receipt) => {
                self.ids.insert(receipt.id);
                if receipt.duplicate {
                    self.known += 1;
                } else {
                    self.stored += 1;
                }
            }
            Err(reason) => self.refused.push((line, reason)),
        }
    }

    pub(crate) fn print(&self, took: Duration) {
        let rate = f64::from(u32::try_from(self.stored).unwrap_or(u32::MAX)) / took.as_secs_f64();
        println!("stored    {:>6}  in {:.0} ms, {rate:.0} a second", self.stored, took.as_secs_f64() * 1e3);
        println!("known     {:>6}  stored before, left as they are", self.known);
        println!("refused   {:>6}", self.refused.len());
        for (line, reason) in &self.refused {
            println!("  line {line}: {reason}");
        }
    }

    /// By plain SQL: all are there, and no `email` shows.
    pub(crate) async fn check(&self, sandbox: &Sandbox, table: &TableName) -> Shown {
        let sql = format!(
            "SELECT count(*), count(*) FILTER (WHERE jsonb_path_exists(data, '$.**.email ? (@ != \"[REDACTED]\")')),
                    count(DISTINCT event), count(DISTINCT target_type)
             FROM {table} WHERE id = ANY($1)"
        );
        let ids: Vec<Uuid> = self.ids.iter().copied().collect();
        let row = sandbox.sql().await?.query_one(&sql, &[&ids]).await?;
        let [rows, shown, events, kinds] = [0, 1, 2, 3].map(|column| row.get::<_, i64>(column));
        assert_eq!((usize::try_from(rows)?, shown), (self.ids.len(), 0));
        println!("in {table}: {rows} rows, {events} events on {kinds} types of targets, every `email` hidden");
        Ok(())
    }
}
