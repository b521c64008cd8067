//! A typical event's payload.

use serde::Serialize;

/// About 500 bytes of JSON, four keys of which are masked.
#[derive(Debug, Clone, Serialize)]
pub struct Order {
    number: u64,
    customer: &'static str,
    email: &'static str,
    card: Card,
    lines: Vec<Line>,
    currency: &'static str,
    note: &'static str,
    token: &'static str,
}

#[derive(Debug, Clone, Serialize)]
struct Card {
    number: &'static str,
    cvc: &'static str,
    holder: &'static str,
}

#[derive(Debug, Clone, Serialize)]
struct Line {
    sku: &'static str,
    name: &'static str,
    quantity: u32,
    price: f64,
}

/// The circumstances.
#[derive(Debug, Clone, Serialize)]
pub struct Meta {
    source: &'static str,
    ip: &'static str,
}

impl Meta {
    /// Always the same.
    pub fn sample() -> Self {
        Self { source: "checkout", ip: "203.0.113.7" }
    }
}

impl Order {
    /// The same order with another note.
    pub fn noted(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    /// Always the same.
    pub fn sample() -> Self {
        let line = |sku, name, quantity, price| Line { sku, name, quantity, price };
        Self {
            number: 9_007_199_254_740_993,
            customer: "customer_8412",
            email: "ann@example.org",
            card: Card { number: "4111111111111111", cvc: "123", holder: "Ann Example" },
            lines: vec![
                line("SKU-0001", "a mechanical keyboard", 1, 129.9),
                line("SKU-0002", "a desk lamp with a long arm", 2, 39.5),
            ],
            currency: "EUR",
            note: "please leave it with the neighbours on the second floor, or in the shed behind the house, key under the mat",
            token: "tok_51H8fJ2eZvKYlo2C0aBcDeFg",
        }
    }
}
