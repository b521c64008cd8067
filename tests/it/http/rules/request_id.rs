//! Which ids are inherited.

use http::{HeaderMap, HeaderValue};
use tracevault::{http::RequestId, uuid::Uuid};

fn id(lines: &[&[u8]]) -> String {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append("x-request-id", HeaderValue::from_bytes(line).unwrap());
    }
    RequestId::of(&headers).to_string()
}

#[test]
fn a_well_formed_id_is_inherited() {
    let longest = "x".repeat(128);
    for given in ["a", "0", "req_9", "A-Z.a:z_0/9+=", "01234567-89ab-cdef-0123-456789abcdef", &longest] {
        assert_eq!(id(&[given.as_bytes()]), given);
    }
}

#[test]
fn any_other_is_replaced_by_a_new_one() {
    let too_long = "x".repeat(129);
    let huge = "x".repeat(1 << 20);
    for given in [
        &b""[..],
        b" ",
        b"a b",
        b" a",
        b"a\tb",
        b"a,b",
        b"a;b",
        b"a\"b",
        b"a<b>",
        b"a%0d%0a",
        b"a\xff",
        "é".as_bytes(),
        "a\u{202e}b".as_bytes(),
        too_long.as_bytes(),
        huge.as_bytes(),
    ] {
        let made: Uuid = id(&[given]).parse().unwrap();
        assert_eq!(made.get_version_num(), 7);
    }
    assert!(id(&[]).parse::<Uuid>().is_ok());
    // Which one would the next service take?
    assert!(id(&[b"one", b"two"]).parse::<Uuid>().is_ok());
    assert_ne!(id(&[]), id(&[]));
    assert_eq!(RequestId::new().as_str().len(), 36);
}
