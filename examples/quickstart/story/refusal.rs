//! An event that breaks a rule.

use serde::Serialize;
use tracevault::{Error, Event, Outcome, Tracevault};

use super::{Told, chapters::heading};

#[derive(Serialize)]
struct Order {
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    name: &'static str,
    price: f64,
}

pub(super) async fn refused(audit: &Tracevault) -> Told {
    heading(
        7,
        "Error::Validation",
        "A mistake is refused before anything is stored, with its place and never its value.",
    );
    let order = Order { items: vec![Item { name: "tea", price: 4.5 }, Item { name: "cup", price: f64::NAN }] };
    let error = audit.emit(Event::new("order.placed").data(&order)).await.err().ok_or("NaN is not a price")?;
    assert_eq!((error.outcome(), error.is_retryable()), (Outcome::Rejected, false));
    let Error::Validation(error) = error else { return Err("a rule was broken".into()) };
    println!("   {:<22} {}", "order.placed", error.path());
    println!("   {:<22} {}", "", error.reason());
    assert_eq!(error.path(), "data.items[1].price");
    Ok(())
}
