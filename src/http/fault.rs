//! What went wrong, in words that may be kept.

use std::{
    any::{Any, type_name},
    fmt::{self, Display, Write as _},
};

use super::exchange::CapturedError;

/// In bytes: more than is stored, so that masks see what is cut off later. An error may say more, and it is not for us to
/// keep it all.
const LONGEST: usize = 16 << 10;

/// An error by its type's name and its words.
pub(super) fn of_type<E: Display>(error: &E) -> CapturedError {
    CapturedError::new(short(type_name::<E>()), capped(error))
}

/// A panic, with its message where it has one.
pub(super) fn of_panic(payload: &(dyn Any + Send)) -> CapturedError {
    let message = payload.downcast_ref::<&str>().copied();
    let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    CapturedError::new("panic", capped(&message.unwrap_or("with no message")))
}

/// `Timeout` of `a::b::Timeout<c::D>`, and `Error` of a boxed `dyn core::error::Error + Send`.
fn short(name: &'static str) -> &'static str {
    let name = name.strip_prefix("alloc::boxed::Box<dyn ").unwrap_or(name);
    let name = name.split(['<', '>', ' ']).next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

fn capped(words: &impl Display) -> String {
    let mut capped = Capped(String::new());
    // An error is the cap, or a `Display` that gave up: what is there will do.
    let _ = write!(capped, "{words}");
    capped.0
}

struct Capped(String);

impl fmt::Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LONGEST - self.0.len();
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        self.0.push_str(&text[..end]);
        // Half a word may be half of a secret, which no mask knows.
        let whole = self.0.rfind(char::is_whitespace).unwrap_or_default();
        self.0.truncate(whole);
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_named_by_its_last_word() {
        for (name, expected) in [
            ("u8", "u8"),
            ("std::io::error::Error", "Error"),
            ("a::b::Timeout<c::D<e::F>>", "Timeout"),
            ("alloc::boxed::Box<dyn core::error::Error + Send + Sync>", "Error"),
            ("alloc::boxed::Box<a::Mine>", "Box"),
        ] {
            assert_eq!(short(name), expected, "{name}");
        }
        assert_eq!(short(type_name::<Box<dyn std::error::Error + Send + Sync>>()), "Error");
    }

    #[test]
    fn words_are_cut_between_two_of_them() {
        assert_eq!(capped(&"é".repeat(8_192)).len(), 16_384);
        assert_eq!(capped(&format!("a {}", "é".repeat(8_192))), "a");
        assert_eq!(capped(&format!("{}y", "x ".repeat(8_192))).len(), 16_383);
    }
}
