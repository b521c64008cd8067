//! The span of an attempt to store a batch.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex},
};

use serde_json::json;
use tracevault::Event;
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt as _},
    registry::LookupSpan,
};

use crate::kit::{CANARY, Table, leaks};

type Fields = BTreeMap<&'static str, String>;

/// The spans named `store` in the order in which they began.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<(Id, Fields)>>>);

impl Spans {
    fn note(&self, id: &Id, values: impl FnOnce(&mut Fill)) {
        let mut spans = self.0.lock().unwrap();
        if let Some((_, fields)) = spans.iter_mut().rev().find(|(known, _)| known == id) {
            values(&mut Fill(fields));
        }
    }

    fn fields(&self, table: &str) -> Vec<Fields> {
        let spans = self.0.lock().unwrap();
        spans.iter().map(|(_, fields)| fields.clone()).filter(|fields| fields["table"].contains(table)).collect()
    }
}

struct Fill<'f>(&'f mut Fields);

impl Visit for Fill<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let metadata = attributes.metadata();
        if metadata.name() == "store" && metadata.target().starts_with("tracevault::") {
            self.0.lock().unwrap().push((id.clone(), Fields::new()));
            self.note(id, |fill| attributes.record(fill));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.note(id, |fill| values.record(fill));
    }
}

fn of(records: usize, again: bool, tries: u32, outcome: &str, table: &str) -> Fields {
    let fields = [
        ("table", format!("\"{table}\"")),
        ("records", records.to_string()),
        ("again", again.to_string()),
        ("tries", tries.to_string()),
        ("outcome", format!("{outcome:?}")),
    ];
    fields.into()
}

#[tokio::test]
async fn each_attempt_has_a_span_that_says_what_became_of_it_and_of_no_payload() {
    let table = Table::new("spans").await;
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.clone()));
    let audit = table.audit();
    let event = || Event::new("e").actor(CANARY, "user").data(json!({ "a": CANARY }));
    audit.emit(event()).await.unwrap();
    for _ in 0..3 {
        audit.try_emit(event()).unwrap();
    }
    audit.flush().await.unwrap();
    table.sql.batch_execute(&format!("ALTER TABLE \"{0}\" RENAME TO \"{0}_away\"", table.name)).await.unwrap();
    audit.try_emit(event()).unwrap();
    while audit.stats().retried == 0 {
        tokio::task::yield_now().await;
    }
    table.sql.batch_execute(&format!("ALTER TABLE \"{0}_away\" RENAME TO \"{0}\"", table.name)).await.unwrap();
    assert_eq!(audit.close().await.unwrap().left, 0);
    let seen = spans.fields(&table.name);
    assert!(!leaks(format!("{seen:?}").as_bytes()));
    let of = |records, tries, outcome| of(records, false, tries, outcome, &table.name);
    assert_eq!(seen[..3], [of(1, 1, "stored"), of(3, 1, "stored"), of(1, 1, "failed")]);
    let last = u32::try_from(seen.len()).unwrap() - 2;
    assert_eq!(*seen.last().unwrap(), of(1, last, "stored"));
    table.drop().await;
}
