//! Text of any origin on a terminal: nothing in it may act.

use std::fmt::{self, Write as _};

/// Longer messages are cut: a key of a megabyte is not worth a megabyte of log.
const LONGEST_MESSAGE: usize = 1_000;

/// Characters that a terminal obeys instead of showing them: controls, and what reorders the text around it.
pub(crate) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A message, with what would act in it escaped.
pub(crate) struct Printable<'t>(pub(crate) &'t str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0.char_indices().nth(LONGEST_MESSAGE) {
            Some((end, _)) => &self.0[..end],
            None => self.0,
        };
        f.write_str(&escaped(text))?;
        f.write_str(if text.len() < self.0.len() { "…" } else { "" })
    }
}

/// The whole text, with what would act in it escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// JSON text of the same meaning, with what would act in it escaped. Such characters stand in strings only, where
/// JSON has an escape for them.
pub(crate) fn inert_json(json: String) -> String {
    if !json.contains(acts) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if acts(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// How many columns a terminal gives the text, which must be escaped.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// The text, cut to so many columns.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fits = |c: &char| {
        let room = left.checked_sub(char_width(*c));
        left = room.unwrap_or(left);
        room.is_some()
    };
    let mut out: String = text.chars().take_while(fits).collect();
    out.push('…');
    out
}

/// The blocks that every terminal agrees on; for the rest a column is off, which harms nothing.
fn char_width(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36f | 0x200b..=0x200d | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}
