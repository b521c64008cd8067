//! Who lives in the demo, and what they ask for.

use axum::http::request::Parts;
use tracevault::traffic::UserDetails;

/// Id, name and e-mail address.
pub const PEOPLE: [(&str, &str, &str); 12] = [
    ("u_1001", "Ann Lee", "ann@example.com"),
    ("u_1002", "Bob Ray", "bob@example.com"),
    ("u_1003", "Chidi Okafor", "chidi@example.com"),
    ("u_1004", "Dana Novak", "dana@example.com"),
    ("u_1005", "Emil Berg", "emil@example.com"),
    ("u_1006", "Fatima Zahra", "fatima@example.com"),
    ("u_1007", "Goro Abe", "goro@example.com"),
    ("u_1008", "Hana Kim", "hana@example.com"),
    ("u_1009", "Ivo Marić", "ivo@example.com"),
    ("u_1010", "Jo <b>Bold</b>", "jo@example.com"),
    ("u_1011", "Kai Lund", "kai@example.com"),
    ("u_1012", "Lea Roth", "lea@example.com"),
];

/// Method, route, how often, and how long it takes in milliseconds.
pub const ROUTES: [(&str, &str, u32, u64); 11] = [
    ("GET", "/api/products", 300, 18),
    ("GET", "/api/products/{id}", 260, 11),
    ("GET", "/api/search", 120, 140),
    ("GET", "/api/users/{id}", 90, 9),
    ("POST", "/api/cart", 80, 26),
    ("POST", "/api/orders", 34, 210),
    ("GET", "/api/orders/{id}", 60, 22),
    ("POST", "/api/login", 40, 95),
    ("GET", "/api/reports/monthly", 6, 1_150),
    ("DELETE", "/api/cart/{id}", 14, 15),
    ("PUT", "/api/products/{id}", 9, 48),
];

pub const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Version/19.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
    "curl/8.14.1",
];

/// The user that a request names. An app would ask what its own authentication has left in the extensions.
pub fn details(parts: &Parts) -> Option<UserDetails> {
    let id = parts.headers.get("x-user-id")?.to_str().ok()?;
    let known = PEOPLE.iter().find(|(known, ..)| *known == id);
    let (name, email) = known.map(|(_, name, email)| ((*name).to_owned(), (*email).to_owned())).unzip();
    Some(UserDetails { id: Some(id.to_owned()), name, email })
}
