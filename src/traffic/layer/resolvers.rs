//! Where ids are usually found.

use http::{HeaderName, header::COOKIE, request::Parts};

use crate::traffic::url::decoded;

/// Finds the text of this header; nothing where it is missing, empty, or not plain ASCII. A name that no header can have is
/// never found.
///
/// ```
/// use tracevault::traffic::from_header;
///
/// let (parts, ()) = http::Request::get("/").header("x-session-id", "s1").body(())?.into_parts();
/// assert_eq!(from_header("X-Session-Id")(&parts).as_deref(), Some("s1"));
/// assert_eq!(from_header("x-user")(&parts), None);
/// # Ok::<(), http::Error>(())
/// ```
pub fn from_header(name: &str) -> impl Fn(&Parts) -> Option<String> + Clone + Send + Sync + use<> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok();
    move |parts| {
        let text = parts.headers.get(name.as_ref()?)?.to_str().ok()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// Finds the first cookie of this name, without its quotes and percent-decoded; nothing where it is missing or empty. Names
/// are case-sensitive.
///
/// ```
/// use tracevault::traffic::from_cookie;
///
/// let (parts, ()) = http::Request::get("/").header("cookie", "theme=dark; sessionId=s%3A1").body(())?.into_parts();
/// assert_eq!(from_cookie("sessionId")(&parts).as_deref(), Some("s:1"));
/// assert_eq!(from_cookie("sessionid")(&parts), None);
/// # Ok::<(), http::Error>(())
/// ```
pub fn from_cookie(name: &str) -> impl Fn(&Parts) -> Option<String> + Clone + Send + Sync + use<> {
    let name = name.to_owned();
    move |parts| {
        // HTTP/2 may send them in several lines.
        let lines = parts.headers.get_all(COOKIE).iter().filter_map(|line| std::str::from_utf8(line.as_bytes()).ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(found, _)| found.trim() == name)?;
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        (!value.is_empty()).then(|| decoded(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(lines: &[(&str, &[u8])]) -> Parts {
        let request =
            lines.iter().fold(http::Request::get("/"), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn cookies_are_found_wherever_they_stand() {
        for (lines, found) in [
            (&[("cookie", &b"sid=1"[..])][..], Some("1")),
            (&[("cookie", b"a=b;sid=1;sid=2")], Some("1")),
            (&[("cookie", b"a=b"), ("cookie", b"b=c;  sid = 1 ")], Some("1")),
            (&[("cookie", b"xsid=1; asid=sid=2; sid=3=4")], Some("3=4")),
            (&[("cookie", b"sid=\"1\"")], Some("1")),
            (&[("cookie", b"sid=\"")], Some("\"")),
            (&[("cookie", b"sid=%73%3a%zz%")], Some("s:%zz%")),
            (&[("cookie", b"\xff"), ("cookie", b"sid=1")], Some("1")),
            (&[("cookie", b"SID=1; sid")], None),
            (&[("cookie", b"sid=")], None),
            (&[("cookie", b"sid=\"\"")], None),
            (&[("cookie", b"; ;=;")], None),
            (&[], None),
        ] {
            assert_eq!(from_cookie("sid")(&parts(lines)).as_deref(), found, "{lines:?}");
        }
    }

    #[test]
    fn a_header_is_found_by_its_name() {
        for (value, found) in [(&b" s1 "[..], Some("s1")), (b"", None), (b"  ", None), (b"\xff", None)] {
            assert_eq!(from_header("X-Session-Id")(&parts(&[("x-session-id", value)])).as_deref(), found);
        }
        assert_eq!(from_header("no header\n")(&parts(&[])), None);
    }
}
