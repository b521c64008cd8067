//! The way out: filters, pages, and plain SQL.

use tracevault::{
    Tracevault,
    deadpool_postgres::Pool,
    query::{AuditRecord, Filters},
};

use super::{Told, chapters::heading, doors::VIEWS, tables::Tables};

pub(super) async fn filters_and_pages(audit: &Tracevault) -> Told {
    let query = audit.query();
    heading(8, "audit.query().page(filters, cursor)", "Filters by column, the newest first, page by page.");
    let filters = Filters::new().actor_id("ann").limit(3);
    let first = query.page(filters.clone(), None).await?;
    let cursor = first.next.ok_or("there is a second page")?;
    let second = query.page(filters, Some(&cursor)).await?;
    assert!(second.next.is_none());
    for (number, records) in [(1, &first.records), (2, &second.records)] {
        for record in records {
            println!("   ann's, page {number}          {}", line(record));
        }
    }
    let anns: Vec<_> = first.records.iter().chain(&second.records).map(|record| record.event.as_str()).collect();
    let expected = ["order.paid", "product.updated", "user.invited", "auth.login.succeeded", "auth.login.failed"];
    assert_eq!(anns, expected);

    let failures = query.find_many(Filters::new().errors_only()).await?;
    assert_eq!(failures.len(), 1);
    for record in &failures {
        println!("   failures only          {} {}", line(record), record.error_code.as_deref().unwrap_or("-"));
    }
    Ok(())
}

fn line(record: &AuditRecord) -> String {
    let (hour, minute, second) = record.occurred_at.to_hms();
    let target = record.target_id.as_deref().unwrap_or("-");
    format!("{hour:02}:{minute:02}:{second:02}  {:<21} {target:<4}", record.event)
}

pub(super) async fn plain_sql(audit: &Tracevault, tables: &Tables, pool: &Pool) -> Told {
    heading(9, "SELECT event, count(*) FROM the table GROUP BY event", "It is a table like any other.");
    let sql = format!(
        "SELECT event, count(*), count(*) FILTER (WHERE mode = 'async') FROM {} GROUP BY 1 ORDER BY 2, 1",
        audit.table()
    );
    let client = pool.get().await?;
    let mut sum = 0;
    for row in client.query(&sql, &[]).await? {
        let (event, rows, queued): (String, i64, i64) = (row.get(0), row.get(1), row.get(2));
        println!("   {event:<22} {rows:>3}{}", if queued > 0 { "  through the queue" } else { "" });
        sum += rows;
    }
    let payments = client.query_one(&format!("SELECT count(*) FROM {}", tables.payments), &[]).await?;
    assert_eq!((sum, payments.get::<_, i64>(0)), (i64::from(VIEWS) + 5, 1));
    println!("   {:<22} {sum:>3}  as many as were emitted, committed and not refused", "together");
    Ok(())
}
