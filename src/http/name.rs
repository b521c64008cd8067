//! What an exchange's event is called.

use super::{exchange::Exchange, text::fit_line};

/// In characters, as for every event.
const LONGEST: usize = 255;

/// What the handler called it, else `http.METHOD.` and the route's pattern, else the path.
pub(super) fn event_name(exchange: &Exchange) -> String {
    if let Some(name) = exchange.event_name.as_deref().filter(|name| !name.trim().is_empty()) {
        return fit_line(name.to_owned(), LONGEST);
    }
    let path = exchange.route.as_ref().unwrap_or(&exchange.path);
    let method = &exchange.method;
    let mut name = String::with_capacity("http..".len() + method.len() + path.len());
    for part in ["http.", method, ".", path] {
        name.push_str(part);
    }
    fit_line(name, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::RequestId;

    #[test]
    fn a_name_is_the_handlers_or_the_routes_or_the_paths() {
        let long = "é".repeat(300);
        let cut = format!("{}…", "é".repeat(254));
        for (said, route, name) in [
            (None, None, "http.POST./orders/7"),
            (None, Some("/orders/{id}"), "http.POST./orders/{id}"),
            (Some("order.paid"), Some("/orders/{id}"), "order.paid"),
            (Some(" \n"), Some("/orders/{id}"), "http.POST./orders/{id}"),
            (Some(""), None, "http.POST./orders/7"),
            (Some("a\r\nb\0\u{202e}"), None, "a\u{fffd}\u{fffd}b\u{fffd}\u{fffd}"),
            (Some(&*long), None, &*cut),
        ] {
            let mut exchange = Exchange::new(RequestId::new(), "POST", "/orders/7");
            exchange.event_name = said.map(ToOwned::to_owned);
            exchange.route = route.map(ToOwned::to_owned);
            assert_eq!(event_name(&exchange), name);
        }
        let mut exchange = Exchange::new(RequestId::new(), "GET", "x".repeat(60_000));
        assert_eq!(event_name(&exchange).chars().count(), 255);
        exchange.route = Some("/x\u{2067}\n".into());
        assert_eq!(event_name(&exchange), "http.GET./x\u{fffd}\u{fffd}");
    }
}
