//! Whether an error shows what it must not.

use std::fmt;

/// So many letters and digits of the input in an error are no accident.
const LONG: usize = 16;

/// The one word of ours that is as long. The fuzzer learns what is compared, and would send sentences of errors too;
/// they have blanks.
const OURS: &[u8] = b"max_payload_bytes";

/// Fails if the error shows a long word of the input which is not part of a key, or takes more than one line.
pub fn assert_quiet(error: &(impl fmt::Display + fmt::Debug), input: &[u8]) {
    let shown = format!("{error}");
    assert!(!shown.contains(|letter| letter < ' '), "more than a line: {shown:?}");
    assert!(shown.len() < 64 * 300, "{} bytes", shown.len());
    let shown = format!("{shown} {error:?}");
    let mut begins = vec![false; 1 << 16];
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let words = |window: &&[u8]| window.iter().all(word) && !OURS.windows(LONG).any(|ours| ours == *window);
    let words: Vec<_> = shown.as_bytes().windows(LONG).filter(words).collect();
    for word in &words {
        begins[begin(word)] = true;
    }
    for window in input.windows(LONG).filter(|window| begins[begin(window)]) {
        let leaks = words.contains(&window) && !is_of_a_key(window, input);
        assert!(!leaks, "the error shows {:?}: {error}", String::from_utf8_lossy(window));
    }
}

fn begin(window: &[u8]) -> usize {
    usize::from(window[0]) << 8 | usize::from(window[1])
}

/// Whether it lies in a string that a colon follows; in broken JSON, that a brace or a comma precedes.
fn is_of_a_key(window: &[u8], input: &[u8]) -> bool {
    let mut rest = input;
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        let before = rest[..start].iter().rfind(|byte| !byte.is_ascii_whitespace());
        let text = &rest[start + 1..];
        let mut end = 0;
        while end < text.len() && text[end] != b'"' {
            end += if text[end] == b'\\' { 2 } else { 1 };
        }
        let (string, behind) = text.split_at(end.min(text.len()));
        rest = behind.get(1..).unwrap_or_default();
        let after = rest.iter().find(|byte| !byte.is_ascii_whitespace());
        let is_a_key = after == Some(&b':') || matches!(before, Some(b'{' | b','));
        if is_a_key && string.windows(LONG).any(|own| own == window) {
            return true;
        }
    }
    false
}
