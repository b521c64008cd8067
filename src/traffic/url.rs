//! Queries without their secrets, and addresses without their ends.

use std::net::IpAddr;

/// Parts of names whose values are hidden.
const SECRET: [&str; 10] =
    ["token", "key", "secret", "password", "pwd", "auth", "code", "signature", "session", "email"];
const MASK: &str = "[REDACTED]";

/// The query with the values of secret-looking names hidden.
pub(super) fn masked(query: &str) -> String {
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={MASK}"),
        // Without `=` it may be the value as well.
        None if is_secret(pair) => MASK.to_owned(),
        _ => pair.to_owned(),
    };
    query.split('&').map(pair).collect::<Vec<_>>().join("&")
}

fn is_secret(name: &str) -> bool {
    let name = decoded(name).to_ascii_lowercase();
    SECRET.iter().any(|part| name.contains(part))
}

/// Percent-decoded as far as it can be: `%70assword` is a password too.
pub(super) fn decoded(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The network of an address: /24 or /48.
pub(super) fn truncated(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            format!("{}/48", std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_values_are_hidden_and_nothing_else() {
        for (query, expected) in [
            ("page=1&q=shoes", "page=1&q=shoes"),
            ("access_token=abc&page=1", "access_token=[REDACTED]&page=1"),
            ("%70assword=x", "%70assword=[REDACTED]"),
            ("API_KEY=a=b", "API_KEY=[REDACTED]"),
            ("user%5Bemail%5D=a@b", "user%5Bemail%5D=[REDACTED]"),
            ("mytokenvalue", "[REDACTED]"),
            ("%", "%"),
            ("a%zz&&=", "a%zz&&="),
        ] {
            assert_eq!(masked(query), expected, "{query}");
        }
    }

    #[test]
    fn an_address_loses_its_end() {
        for (ip, network) in [
            ("203.0.113.9", "203.0.113.0/24"),
            ("2001:db8:1:2:3::9", "2001:db8:1::/48"),
            ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ] {
            assert_eq!(truncated(ip.parse().unwrap()), network);
        }
    }
}
