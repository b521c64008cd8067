//! Pages of lists that are sorted by a number and told apart by texts.

use crate::error::{Error, ValidationError};

/// The place behind the last row of a page: its number, by its bits, and its texts. As text it is a JSON array; it holds
/// what the page showed, and is not signed.
pub(super) struct Place {
    pub(super) number: f64,
    pub(super) texts: [String; 2],
}

impl Place {
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let (bits, one, other): (u64, String, String) = serde_json::from_str(text)
            .map_err(|_| ValidationError::new("cursor", "is not a cursor that a page gave"))?;
        let number = f64::from_bits(bits);
        if number.is_nan() || one.contains('\0') || other.contains('\0') {
            return Err(ValidationError::new("cursor", "is not a cursor that a page gave").into());
        }
        Ok(Self { number, texts: [one, other] })
    }

    /// As text for the next question.
    pub(super) fn text(&self) -> String {
        let [one, other] = &self.texts;
        serde_json::json!([self.number.to_bits(), one, other]).to_string()
    }
}

/// From 1 to 500.
pub(super) fn limit(limit: u32) -> Result<usize, Error> {
    if (1..=500).contains(&limit) {
        return Ok(limit as usize);
    }
    Err(ValidationError::new("limit", "must be from 1 to 500").into())
}

/// A part of a text, for ILIKE.
pub(super) fn like(part: &str) -> String {
    let mut pattern = String::with_capacity(part.len() + 2);
    pattern.push('%');
    for char in part.chars().filter(|char| *char != '\0').take(200) {
        if matches!(char, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_to_the_bit() {
        for number in [0.0, 0.1 + 0.2, -1.5, 1e300] {
            let place = Place { number, texts: ["GET".to_owned(), "/a\"b".to_owned()] };
            let read = Place::read(&place.text()).unwrap();
            assert_eq!((read.number.to_bits(), read.texts), (number.to_bits(), place.texts));
        }
        for text in ["", "[]", "[1,\"a\"]", "{}", "[9221120237041090560,\"\",\"\"]", "[1,\"\\u0000\",\"\"]"] {
            assert!(Place::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_part_is_meant_to_the_letter() {
        assert_eq!(like("50%_\\"), "%50\\%\\_\\\\%");
    }
}
