//! Text from outside, made fit to be kept.

use std::borrow::Cow;

/// At most so many characters, the last being `…` where it was cut; NUL, which PostgreSQL cannot store, replaced.
pub(super) fn fit(text: &str, most: usize) -> Cow<'_, str> {
    let cut = if text.len() > most && text.chars().nth(most).is_some() {
        text.char_indices().nth(most.saturating_sub(1)).map(|(end, _)| &text[..end])
    } else {
        None
    };
    let kept = cut.unwrap_or(text);
    let kept = if kept.contains('\0') { kept.replace('\0', "\u{fffd}").into() } else { Cow::Borrowed(kept) };
    if cut.is_some() { kept + "…" } else { kept }
}

/// The same without line breaks and other controls, and without what turns the direction of text: for what people read
/// in lists.
pub(super) fn fit_line(text: String, most: usize) -> String {
    if text.len() <= most && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text;
    }
    let plain = |letter: char| if is_unfit(letter) { char::REPLACEMENT_CHARACTER } else { letter };
    fit(&text, most).chars().map(plain).collect()
}

fn is_unfit(letter: char) -> bool {
    let turns = matches!(
        letter,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns || letter.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character() {
        for (text, most, fitting) in [
            ("", 0, ""),
            ("ab", 2, "ab"),
            ("abc", 2, "a…"),
            ("ééé", 3, "ééé"),
            ("éééé", 3, "éé…"),
            ("a\0b\0", 4, "a\u{fffd}b\u{fffd}"),
            ("a\0bcd", 3, "a\u{fffd}…"),
        ] {
            assert_eq!(fit(text, most), fitting);
        }
        assert!(matches!(fit("plain", 5), Cow::Borrowed(_)));
        assert_eq!(fit(&"é".repeat(1 << 20), 500).chars().count(), 500);
    }

    #[test]
    fn a_line_has_neither_controls_nor_turns() {
        let hostile = "a\r\nb\tc\0d\u{202e}e\u{2066}f\u{85}g\u{2028}h\u{200f}i\u{1b}[2J";
        let line = fit_line(hostile.to_owned(), 255);
        assert_eq!(line.chars().filter(|letter| *letter == '\u{fffd}').count(), 10);
        assert_eq!(line.replace('\u{fffd}', ""), "abcdefghi[2J");
        assert_eq!(fit_line("orden.pagó 支付".to_owned(), 255), "orden.pagó 支付");
        for (text, most, line) in
            [("a\r\nb", 9, "a\u{fffd}\u{fffd}b"), ("\u{7f}", 9, "\u{fffd}"), ("a b~", 4, "a b~"), ("abc", 2, "a…")]
        {
            assert_eq!(fit_line(text.to_owned(), most), line);
        }
    }
}
