//! What is masked before an exchange has it: as the scope says, and what usually is a secret.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use http::{HeaderValue, Uri};
use serde_json::Value;

use super::{
    exchange::{Ending, Exchange},
    query,
    text::fit,
};
use crate::{Scope, mask::Mask};

/// The usual names of secrets, in lower case without `_` and `-`, so that `api_key`, `api-key` and `apiKey` are one.
const USUAL: [&str; 47] = [
    "accesskey",
    "accesstoken",
    "apikey",
    "apitoken",
    "appkey",
    "appsecret",
    "assertion",
    "auth",
    "authkey",
    "authorization",
    "authtoken",
    "bearer",
    "cardnumber",
    "clientassertion",
    "clientsecret",
    "code",
    "codeverifier",
    "credential",
    "credentials",
    "csrftoken",
    "cvc",
    "cvv",
    "idtoken",
    "jwt",
    "otp",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "pin",
    "privatekey",
    "pwd",
    "refreshtoken",
    "samlresponse",
    "secret",
    "secretkey",
    "session",
    "sessionid",
    "sessiontoken",
    "sid",
    "sig",
    "signature",
    "token",
    "xamzcredential",
    "xamzsecuritytoken",
    "xamzsignature",
    "xgoogsignature",
];

const KELVIN: char = '\u{212a}';

/// For what a name begins with, how long those are that begin so, a bit each: most names go at a glance.
static LENGTHS: [u64; 32] = {
    let mut lengths = [0; 32];
    let mut at = 0;
    while at < USUAL.len() {
        let name = USUAL[at].as_bytes();
        lengths[(name[0] % 32) as usize] |= 1 << name.len();
        at += 1;
    }
    lengths
};

static NOTHING: LazyLock<Arc<Mask>> = LazyLock::new(|| Arc::new(Mask::none()));

/// The masks of what a request says.
#[derive(Clone)]
pub(super) struct Masking(Arc<Mask>);

impl Masking {
    /// As the sink's scope masks. Without one the usual names of secrets are masked all the same.
    pub(super) fn of(scope: Option<&Scope>) -> Self {
        Self(scope.map_or_else(|| Arc::clone(&NOTHING), |scope| Arc::clone(&scope.settings().mask)))
    }

    /// The path, as it was received.
    pub(super) fn path(&self, uri: &Uri) -> String {
        fit(&self.0.cover(uri.path()), 2_000).into_owned()
    }

    /// The query as names and their values.
    pub(super) fn query(&self, uri: &Uri) -> Option<Value> {
        query::parse(uri.query()?, self)
    }

    pub(super) fn user_agent(&self, value: &HeaderValue) -> String {
        // Text, as it nearly always is, is found to be text several times as fast as it is mended.
        let bytes = value.as_bytes();
        let agent = std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
        fit(&self.0.cover(&agent), 512).into_owned()
    }

    /// The words of what went wrong, which are masked before they are cut, lest half of a secret be left.
    pub(super) fn faults(&self, exchange: &mut Exchange) {
        let ending = match &mut exchange.ending {
            Ending::BodyError(error) | Ending::ServiceError(error) | Ending::Panic(error) => Some(error),
            _ => None,
        };
        for error in ending.into_iter().chain(&mut exchange.error) {
            error.message = fit(&self.0.cover(&error.message), 2_000).into_owned();
        }
    }

    /// Whether what stands under this name is hidden: by the whole name or by any step of `user[password]` and
    /// `user.password`.
    pub(super) fn hides(&self, name: &str) -> bool {
        self.0.hides(name) || name.split(['[', ']', '.']).any(|step| self.0.hides(step) || is_usual(step))
    }

    pub(super) fn cover<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.0.cover(text)
    }

    /// What stands in place of what is hidden.
    pub(super) fn value(&self) -> &str {
        self.0.value()
    }
}

fn is_usual(step: &str) -> bool {
    let plain = |letter: &char| !matches!(letter, '_' | '-' | ' ');
    // Longer than any of them, or with a letter that none of them has, it is none of them.
    let mut compact = [0; 32];
    let mut length = 0;
    for letter in step.chars().filter(plain) {
        // The one letter beyond ASCII with a lower case inside of it.
        let lower = if letter == KELVIN { 'k' } else { letter.to_ascii_lowercase() };
        let (Some(place), Ok(byte)) = (compact.get_mut(length), u8::try_from(lower)) else { return false };
        *place = byte;
        length += 1;
    }
    LENGTHS[usize::from(compact[0] % 32)] >> length & 1 == 1
        && std::str::from_utf8(&compact[..length]).is_ok_and(|compact| USUAL.binary_search(&compact).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masking(fields: &[&str], patterns: &[&str]) -> Masking {
        let fields: Vec<_> = fields.iter().map(ToString::to_string).collect();
        let patterns: Vec<_> = patterns.iter().map(|pattern| regex::Regex::new(pattern).unwrap()).collect();
        Masking(Arc::new(Mask::new(&fields, &patterns, "***").unwrap()))
    }

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        assert!(USUAL.is_sorted());
        let usual = Masking::of(None);
        assert!(USUAL.iter().all(|name| usual.hides(name) && usual.hides(&name.to_uppercase())));
        for hidden in [
            "password",
            "PassWord",
            "access_token",
            "access-token",
            "accessToken",
            "X-Amz-Signature",
            "api key",
            "user[password]",
            "user[0][api_key]",
            "filter.token",
            "[token]",
            "to\u{212a}en",
            "sig",
            "code",
        ] {
            assert!(usual.hides(hidden), "{hidden}");
        }
        for shown in ["", "q", "page", "passwords", "tokens", "design", "zipcode", "[]", ".", "__", "pineapple"] {
            assert!(!usual.hides(shown), "{shown}");
        }
        assert!(!usual.hides(&"token".repeat(200_000)));
        assert!(!usual.hides(&format!("token{}", "x".repeat(40))));
    }

    #[test]
    fn the_scope_masks_as_well() {
        let masking = masking(&["Ssn", "a.b"], &["sk_[0-9]+"]);
        for hidden in ["ssn", "SSN", "person[ssn]", "a.b", "token"] {
            assert!(masking.hides(hidden), "{hidden}");
        }
        assert!(!masking.hides("b"));
        assert_eq!(masking.path(&Uri::from_static("/keys/sk_12/use?k=sk_3")), "/keys/***/use");
        assert_eq!(masking.user_agent(&HeaderValue::from_static("curl sk_12")), "curl ***");
        let hostile = HeaderValue::from_bytes(&[b'a', 0xff, 0xfe, b'b']).unwrap();
        assert_eq!(masking.user_agent(&hostile), "a\u{fffd}\u{fffd}b");
        let long = HeaderValue::from_bytes(&vec![0xff; 1 << 20]).unwrap();
        assert_eq!(masking.user_agent(&long).chars().count(), 512);
        let path = Uri::try_from(format!("/{}", "x".repeat(60_000))).unwrap();
        assert_eq!(masking.path(&path).chars().count(), 2_000);
    }
}
