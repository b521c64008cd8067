//! What a traffic table and everything that belongs to it are called.

use uuid::Uuid;

use crate::table::TableName;

/// The longest name that stands whole in front of `_p20260507` and the suffixes of indexes.
const LONGEST: usize = 40;

/// The names of one traffic table. SQL is written for `traffic_logs`, as in `sql/002_init_traffic.sql`, and rendered.
#[derive(Debug, Clone)]
pub(super) struct Names {
    table: TableName,
    stem: String,
}

impl Names {
    pub(super) fn new(table: TableName) -> Self {
        let name = table.name();
        let stem = if name.len() <= LONGEST {
            name.to_owned()
        } else {
            // PostgreSQL would cut longer names, and two tables would then share their rollups.
            let digest = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).simple().to_string();
            format!("{}_{}", &name[..LONGEST - 9], &digest[..8])
        };
        Self { table, stem }
    }

    pub(super) fn table(&self) -> &TableName {
        &self.table
    }

    /// What the name of everything that belongs to the table begins with.
    #[cfg(test)]
    pub(super) fn stem(&self) -> &str {
        &self.stem
    }

    /// What is notified of new rows. Tables of other schemas share it, which costs a look at the table.
    pub(super) fn channel(&self) -> String {
        format!("{}_rows", self.stem)
    }

    /// This SQL, for this table.
    pub(super) fn sql(&self, text: &str) -> String {
        let schema = self.table.schema().map(|schema| format!("\"{schema}\".")).unwrap_or_default();
        let (index, other) = (format!("\"idx_{}_", self.stem), format!("{schema}\"{}_", self.stem));
        // What was put in is not looked at again: the schema may be called `traffic_logs`.
        let part = |part: &str| part.replace("\"idx_traffic_logs_", &index).replace("\"traffic_logs_", &other);
        text.split("\"traffic_logs\"").map(part).collect::<Vec<_>>().join(&self.table.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_may_be_called_as_the_default_table() {
        let sql = "\"traffic_logs_marks\" \"traffic_logs\" \"idx_traffic_logs_user\"";
        for (schema, expected) in [
            ("traffic_logs", r#""traffic_logs"."t_marks" "traffic_logs"."t" "idx_t_user""#),
            ("traffic_logs_eu", r#""traffic_logs_eu"."t_marks" "traffic_logs_eu"."t" "idx_t_user""#),
        ] {
            let names = Names::new(TableName::new("t").unwrap().in_schema(schema).unwrap());
            assert_eq!(names.sql(sql), expected);
        }
    }
}
