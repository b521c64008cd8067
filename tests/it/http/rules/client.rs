//! Whose address a request has, and whose word counts for it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use tracevault::http::TrustedProxies;

const XFF: &str = "x-forwarded-for";
const FORWARDED: &str = "forwarded";

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// Behind 10.0.0.1, with these networks trusted.
fn client(trusted: &[&str], lines: &[(&str, &str)]) -> String {
    let proxies = TrustedProxies::new(trusted).unwrap();
    proxies.client_ip(&headers(lines), Some(IpAddr::from([10, 0, 0, 1]))).unwrap().to_string()
}

const TEN: &[&str] = &["10.0.0.0/8"];

#[test]
fn nobody_is_believed_unless_trusted() {
    let forged = [(XFF, "6.6.6.6"), (FORWARDED, "for=6.6.6.6")];
    assert_eq!(client(&[], &forged), "10.0.0.1");
    assert_eq!(client(&["192.168.0.0/16", "::/0"], &forged), "10.0.0.1");
    assert_eq!(
        TrustedProxies::default().client_ip(&headers(&forged), "2001:db8::9".parse().ok()),
        "2001:db8::9".parse().ok()
    );
    // Without a peer there is nobody to believe.
    let all = TrustedProxies::new(["0.0.0.0/0", "::/0"]).unwrap();
    assert_eq!(all.client_ip(&headers(&forged), None), None);
}

#[test]
fn the_rightmost_untrusted_address_is_the_clients() {
    for (line, client_ip) in [
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("6.6.6.6,203.0.113.9,10.1.2.3, 10.9.9.9", "203.0.113.9"),
        ("10.0.0.7", "10.0.0.7"),
        ("10.0.0.8, 10.0.0.7", "10.0.0.8"),
        ("", "10.0.0.1"),
        (", ,", "10.0.0.1"),
        ("unknown", "10.0.0.1"),
        // The proxy does not say who it was; what that client wrote is not believed.
        ("6.6.6.6, unknown", "10.0.0.1"),
        ("6.6.6.6, _hidden, 10.0.0.2", "10.0.0.2"),
        ("6.6.6.6, 203.0.113.9, rubbish, 10.0.0.2", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("\"203.0.113.9\"", "203.0.113.9"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, ::ffff:10.0.0.2", "6.6.6.6"),
        ("203.0.113.9 6.6.6.6", "10.0.0.1"),
        ("203.0.113.256", "10.0.0.1"),
        ("0203.0.113.9", "10.0.0.1"),
        ("203.0.113.9:99999", "10.0.0.1"),
        ("[203.0.113.9]", "10.0.0.1"),
        ("[2001:db8::1", "10.0.0.1"),
        ("é\u{202e}, 203.0.113.9", "203.0.113.9"),
    ] {
        assert_eq!(client(TEN, &[(XFF, line)]), client_ip, "{line}");
    }
    let lines = [(XFF, "6.6.6.6"), (XFF, "203.0.113.9"), (XFF, "10.0.0.3, 10.0.0.2")];
    assert_eq!(client(TEN, &lines), "203.0.113.9");
}

#[test]
fn the_standard_header_says_the_same() {
    for (line, client_ip) in [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=\"203.0.113.9\"", "203.0.113.9"),
        ("FOR=203.0.113.9;proto=https;by=10.0.0.2", "203.0.113.9"),
        ("by=6.6.6.6;host=a.example; for=203.0.113.9", "203.0.113.9"),
        ("for=\"203.0.113.9:4711\"", "203.0.113.9"),
        ("for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
        ("for=\"[2001:db8:cafe::17]:_port\"", "2001:db8:cafe::17"),
        ("for=6.6.6.6, for=203.0.113.9, for=10.0.0.2", "203.0.113.9"),
        ("for=6.6.6.6, for=_hidden, for=10.0.0.2", "10.0.0.2"),
        ("for=6.6.6.6, for=\"Unknown\"", "10.0.0.1"),
        ("for=\"[::ffff:10.0.0.2]\", for=10.0.0.3", "10.0.0.2"),
        ("by=203.0.113.9", "10.0.0.1"),
        ("for=", "10.0.0.1"),
        ("host=\"a,for=6.6.6.6\";for=203.0.113.9", "203.0.113.9"),
        ("host=\"a;for=6.6.6.6\";for=203.0.113.9", "203.0.113.9"),
        ("for=203.0.113.9;host=\"a, for=6.6.6.6 , b\"", "203.0.113.9"),
        ("for=203.0.113.9;host=\"a; for=6.6.6.6 ; b\"", "203.0.113.9"),
        // Quotes that a client left open do not swallow what the proxy has appended.
        ("for=6.6.6.6, for=\"x, for=203.0.113.9", "203.0.113.9"),
        ("for=6.6.6.6, for=\"x, for=\"[2001:db8::1]:80\"", "2001:db8::1"),
        ("for=\"\\\", for=203.0.113.9", "203.0.113.9"),
    ] {
        assert_eq!(client(TEN, &[(FORWARDED, line)]), client_ip, "{line}");
    }
    let lines = [(FORWARDED, "for=6.6.6.6"), (FORWARDED, "for=203.0.113.9")];
    assert_eq!(client(TEN, &lines), "203.0.113.9");
    // Of both, the one that proxies write.
    let both = [(FORWARDED, "for=6.6.6.6"), (XFF, "203.0.113.9")];
    assert_eq!(client(TEN, &both), "203.0.113.9");
    assert_eq!(client(TEN, &[(FORWARDED, "for=203.0.113.9"), (XFF, "10.0.0.2")]), "203.0.113.9");
}

#[test]
fn networks_hold_what_their_bits_say() {
    let peer_trusted = |network: &str, peer: &str| {
        let proxies = TrustedProxies::new([network]).unwrap();
        let client = proxies.client_ip(&headers(&[(XFF, "203.0.113.9")]), peer.parse().ok()).unwrap();
        client == IpAddr::from([203, 0, 113, 9])
    };
    for (network, within, without) in [
        ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
        ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
        ("10.1.2.3/32", "10.1.2.3", "10.1.2.2"),
        ("10.1.2.3/8", "10.9.9.9", "9.1.2.3"),
        ("192.0.2.0/31", "192.0.2.1", "192.0.2.2"),
        ("0.0.0.0/0", "255.255.255.255", "2001:db8::1"),
        ("::/0", "2001:db8::1", "10.0.0.1"),
        ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
        ("2001:db8::/127", "2001:db8::1", "2001:db8::2"),
        // IPv4 is IPv4, however it is written.
        ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2"),
        ("10.0.0.0/8", "::ffff:10.2.3.4", "::10.2.3.4"),
    ] {
        assert!(peer_trusted(network, within), "{network} {within}");
        assert!(!peer_trusted(network, without), "{network} {without}");
    }
    for wrong in [
        "",
        "/",
        "10.0.0.0/",
        "10.0.0.0/33",
        "::/129",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0/8",
        "a",
        "10.0.0.0/8/8",
        " 10.0.0.0/8",
    ] {
        let error = TrustedProxies::new([wrong]).unwrap_err();
        assert!(error.to_string().contains("`trusted_proxies`"), "{wrong}");
    }
}
