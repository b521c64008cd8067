//! What is kept of a request's body: a hash.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::{ConfigError, Error};

/// What is kept of the request's body when an exchange ends in an error: a hash, made while the handler reads the body,
/// which is never held. There is none where the body is empty, or was not read to its end.
///
/// ```
/// use tracevault::http::{BodyHash, HmacKey};
///
/// let hash = BodyHash::HmacSha256(HmacKey::new("a key of your own, kept apart from the table")?);
/// # let _ = hash;
/// # Ok::<(), tracevault::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum BodyHash {
    /// None.
    Off,
    /// SHA-256. What is short, or one of few, can be guessed from it: a PIN, a card number, a form with one field.
    #[default]
    Sha256,
    /// HMAC-SHA-256: nobody without the key can guess.
    HmacSha256(HmacKey),
}

/// A key of [`BodyHash::HmacSha256`]. `Debug` does not show it.
#[derive(Clone)]
pub struct HmacKey(Box<Hmac<Sha256>>);

impl HmacKey {
    /// From bytes: 32 random ones are best. One of more than 64 counts as its SHA-256.
    ///
    /// # Errors
    /// `Config` for an empty one, by which everybody could guess.
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self, Error> {
        let key = key.as_ref();
        match Hmac::new_from_slice(key) {
            Ok(hmac) if !key.is_empty() => Ok(Self(Box::new(hmac))),
            _ => Err(ConfigError::new("body_hash", "must not have an empty key").into()),
        }
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey")
    }
}

impl BodyHash {
    pub(super) fn hasher(&self) -> Option<Hasher> {
        match self {
            Self::Off => None,
            Self::Sha256 => Some(Hasher::Sha256(Sha256::new())),
            Self::HmacSha256(key) => Some(Hasher::HmacSha256(key.0.clone())),
        }
    }
}

/// A hash on its way; its size does not depend on the body's.
pub(super) enum Hasher {
    Sha256(Sha256),
    HmacSha256(Box<Hmac<Sha256>>),
}

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => Digest::update(hash, bytes),
            Self::HmacSha256(hash) => Mac::update(hash.as_mut(), bytes),
        }
    }

    /// In lower case hexadecimal.
    pub(super) fn finish(self) -> String {
        match self {
            Self::Sha256(hash) => hexadecimal(&hash.finalize()),
            Self::HmacSha256(hash) => hexadecimal(&hash.finalize().into_bytes()),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(of: &BodyHash, pieces: &[&[u8]]) -> String {
        let mut hasher = of.hasher().unwrap();
        for piece in pieces {
            hasher.update(piece);
        }
        hasher.finish()
    }

    /// FIPS 180-2 appendix B.1, and RFC 4231 cases 2 and 6.
    #[test]
    fn hashes_are_those_of_the_standards_however_the_body_comes() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for pieces in [&[&b"abc"[..]][..], &[b"a", b"", b"bc"]] {
            assert_eq!(hash(&BodyHash::Sha256, pieces), abc);
        }
        let jefe = BodyHash::HmacSha256(HmacKey::new("Jefe").unwrap());
        let nothing = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        for pieces in [&[&b"what do ya want for nothing?"[..]][..], &[b"what do ya want ", b"for nothing?"]] {
            assert_eq!(hash(&jefe, pieces), nothing);
        }
        let long = BodyHash::HmacSha256(HmacKey::new([0xaa; 131]).unwrap());
        let case_6 = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        assert_eq!(hash(&long, &[b"Test Using Larger Than Block-Size Key - Hash Key First"]), case_6);
    }

    #[test]
    fn off_hashes_nothing_and_a_key_is_needed_and_not_shown() {
        assert!(BodyHash::Off.hasher().is_none());
        assert!(matches!(BodyHash::default(), BodyHash::Sha256));
        assert!(HmacKey::new("").unwrap_err().to_string().contains("body_hash"));
        let shown = format!("{:?}", BodyHash::HmacSha256(HmacKey::new("hunter2").unwrap()));
        assert_eq!(shown, "HmacSha256(HmacKey)");
    }
}
