//! Which hosts a request may name: without credentials, another site's name that leads here (DNS rebinding) must not
//! open the door.

use http::{header, request::Parts};

/// Host names, without ports, in lower case.
#[derive(Debug, Clone)]
pub(super) enum Hosts {
    Any,
    These(Vec<String>),
}

impl Hosts {
    /// This machine's own names.
    pub(super) fn loopback() -> Self {
        Self::These(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).to_vec())
    }

    pub(super) fn these(names: Vec<String>) -> Self {
        Self::These(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    pub(super) fn allow(&self, parts: &Parts) -> bool {
        let Self::These(names) = self else { return true };
        named(parts).is_some_and(|name| names.contains(&name))
    }
}

/// The name that a request has for this host: HTTP/2 has it in the URI.
fn named(parts: &Parts) -> Option<String> {
    let mut given = parts.headers.get_all(header::HOST).iter();
    let host = match (given.next(), given.next()) {
        (Some(host), None) => host.to_str().ok()?,
        (None, _) => parts.uri.authority()?.as_str(),
        _ => return None,
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    Some(name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(host: &str) -> bool {
        let request = http::Request::builder().header(header::HOST, host).body(()).unwrap();
        Hosts::loopback().allow(&request.into_parts().0)
    }

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in ["localhost", "LOCALHOST:3000", "127.0.0.1:80", "[::1]:3000", "[::1]"] {
            assert!(allowed(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:3000", "", "user@localhost", "[::2]"] {
            assert!(!allowed(host), "{host}");
        }
        assert!(!Hosts::loopback().allow(&http::Request::new(()).into_parts().0));
        let two = http::Request::builder().header("host", "localhost").header("host", "evil").body(()).unwrap();
        assert!(!Hosts::loopback().allow(&two.into_parts().0));
    }
}
