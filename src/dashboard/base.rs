//! Where the router is mounted: every link begins with it.

use axum::extract::OriginalUri;
use http::request::Parts;

/// The path that the app mounted the router at, without a slash at its end; empty at the root.
pub(super) fn of(parts: &Parts) -> String {
    let inner = parts.uri.path();
    let original = parts.extensions.get::<OriginalUri>().map_or(inner, |original| original.0.path());
    original.strip_suffix(inner).unwrap_or_else(|| original.strip_suffix('/').unwrap_or(original)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_what_nesting_took_away() {
        for (original, inner, base) in [
            ("/traffic-dashboard", "/", "/traffic-dashboard"),
            ("/traffic-dashboard/", "/", "/traffic-dashboard"),
            ("/x/y/routes", "/routes", "/x/y"),
            ("/routes/routes", "/routes", "/routes"),
            ("/routes", "/routes", ""),
            ("/", "/", ""),
        ] {
            let mut request = http::Request::builder().uri(inner).body(()).unwrap();
            request.extensions_mut().insert(OriginalUri(original.parse().unwrap()));
            assert_eq!(of(&request.into_parts().0), base, "{original}");
        }
    }
}
