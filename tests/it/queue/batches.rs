//! Failures of a batch that are one record's, though PostgreSQL does not say so.

use time::macros::datetime;

use super::*;

/// A table that its owner has partitioned by time, from 2020 on, so that `id` alone is not unique.
async fn partitioned(theme: &str) -> Table {
    let table = Table::missing(theme).await;
    let ddl = tracevault::generate_init_sql(&table.name).unwrap();
    let (before, after) = ddl.split_once("\n);").unwrap();
    let (before, id) = before.split_once("PRIMARY KEY").unwrap();
    let ddl = format!(
        "{before}{id},\n    PRIMARY KEY (id, occurred_at)\n) PARTITION BY RANGE (occurred_at);{after}
         CREATE TABLE \"{0}_p\" PARTITION OF \"{0}\" FOR VALUES FROM ('2020-01-01') TO (MAXVALUE);",
        table.name
    );
    table.sql.batch_execute(&ddl).await.unwrap();
    table
}

/// Stores the one among ten others, as one batch; it alone must be refused.
async fn refuses_alone(table: &Table, one: Event<'static>, sqlstate: &str) -> Outcome {
    let (config, told) = telling(table.config().async_flush_interval(LONG));
    let audit = Tracevault::new(config).unwrap();
    for n in 0..5 {
        audit.try_emit(numbered(n)).unwrap();
    }
    let refused = audit.try_emit(one).unwrap().id;
    for n in 5..10 {
        audit.try_emit(numbered(n)).unwrap();
    }
    let drained = audit.close().await.unwrap();
    let told = told.lock().unwrap().clone();
    assert_eq!((drained.stored, drained.failed, drained.left), (10, 1, 0), "{told:?}");
    let [(id, state, outcome)] = &*told else { panic!("{told:?}") };
    assert_eq!((*id, state.as_deref()), (refused, Some(sqlstate)));
    let numbers = table.select("(data ->> 'n')::int8", "ORDER BY 1", &[]).await;
    assert_eq!(numbers.iter().map(|row| row.get(0)).collect::<Vec<i64>>(), (0..10).collect::<Vec<_>>());
    *outcome
}

#[tokio::test]
async fn a_record_without_a_partition() {
    let table = partitioned("no_partition").await;
    let old = Event::new("old").occurred_at(datetime!(1999-01-01 00:00 UTC));
    assert_eq!(refuses_alone(&table, old, "23514").await, Outcome::Rejected);
    table.drop().await;
}

#[tokio::test]
async fn an_id_of_the_callers_own_where_ids_are_not_unique() {
    let table = partitioned("not_unique").await;
    let own = Event::new("own").id(Uuid::now_v7());
    assert_eq!(refuses_alone(&table, own, "42P10").await, Outcome::Rejected);
    table.drop().await;
}

#[tokio::test]
async fn a_record_that_a_trigger_refuses_under_any_sqlstate() {
    for sqlstate in ["AUD01", "40001", "53100", "42501", "57014"] {
        let table = Table::new("any_state").await;
        let trigger = format!(
            "CREATE FUNCTION \"{0}_f\"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF NEW.event = 'bad' THEN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END IF;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER t BEFORE INSERT ON \"{0}\" FOR EACH ROW EXECUTE FUNCTION \"{0}_f\"()",
            table.name
        );
        table.sql.batch_execute(&trigger).await.unwrap();
        refuses_alone(&table, Event::new("bad"), sqlstate).await;
        table.sql.batch_execute(&format!("DROP FUNCTION \"{}_f\" CASCADE", table.name)).await.unwrap();
        table.drop().await;
    }
}

/// A tenant's policy on the table: the code is that of a missing grant.
#[tokio::test]
async fn a_record_that_a_policy_refuses() {
    let table = Table::new("policy").await;
    let role = crate::kit::unique("role");
    let policy = format!(
        "{create}
         GRANT INSERT ON \"{0}\" TO {role};
         ALTER TABLE \"{0}\" ENABLE ROW LEVEL SECURITY;
         CREATE POLICY mine ON \"{0}\" FOR INSERT TO {role} WITH CHECK (event <> 'theirs');",
        table.name,
        create = crate::kit::create_role(&role),
    );
    table.sql.batch_execute(&policy).await.unwrap();
    let config = tracevault::Config::new(crate::kit::url_as(&role)).table_name(&table.name);
    let audit = Tracevault::new(config).unwrap();
    let answers = join_all(["mine", "theirs", "mine"].map(|event| audit.emit(event))).await;
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(answers[1].as_ref().unwrap_err().sqlstate(), Some("42501"));
    assert_eq!(transactions(&table).await, 2, "it was one batch, and then was not");
    audit.close().await.unwrap();
    table.sql.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
    table.drop().await;
}
