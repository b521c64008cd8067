//! Text inside a JSON string. Most text needs no escape, and is found to need none many bytes at a time.

/// Appends the text, escaped as `serde_json` does; `false`, leaving it half-written, where it holds NUL.
#[inline]
pub(super) fn push(out: &mut Vec<u8>, text: &str) -> bool {
    let bytes = text.as_bytes();
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
        return true;
    }
    push_escaped(out, bytes)
}

fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let mut plain_from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[usize::from(byte)];
        if escape == PLAIN {
            continue;
        }
        if byte == 0 {
            return false;
        }
        out.extend_from_slice(&bytes[plain_from..at]);
        plain_from = at + 1;
        if escape == HEX {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            let (high, low) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        } else {
            out.extend_from_slice(&[b'\\', escape]);
        }
    }
    out.extend_from_slice(&bytes[plain_from..]);
    true
}

/// Whether no byte is a control character, a quote or a backslash.
#[inline]
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    // The last block overlaps the one before it, so that no length needs a loop over single bytes.
    if let Some(last) = bytes.last_chunk::<16>() {
        bytes.as_chunks::<16>().0.iter().all(block_is_plain) && block_is_plain(last)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        word_is_plain(u64::from_le_bytes(*first)) & word_is_plain(u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        word_is_plain(u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32)
    } else {
        bytes.iter().all(|&byte| ESCAPES[usize::from(byte)] == PLAIN)
    }
}

/// Without a branch, so that the compiler makes vector instructions of it.
#[inline]
fn block_is_plain(block: &[u8; 16]) -> bool {
    !block.iter().fold(false, |found, &byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'))
}

/// The same of eight bytes in a word. `(w - n) & !w` has the high bit of the lowest byte below `n` (up to 128) set.
#[inline]
fn word_is_plain(word: u64) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH_BITS: u64 = ONES << 7;
    let (quotes, backslashes) = (word ^ (ONES * b'"' as u64), word ^ (ONES * b'\\' as u64));
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    let quotes = quotes.wrapping_sub(ONES) & !quotes;
    let backslashes = backslashes.wrapping_sub(ONES) & !backslashes;
    (controls | quotes | backslashes) & HIGH_BITS == 0
}

/// What a byte needs inside a JSON string: nothing, a letter behind a backslash, or its hex form.
const PLAIN: u8 = 0;
const HEX: u8 = b'u';
static ESCAPES: [u8; 256] = {
    let mut table = [PLAIN; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = HEX;
        control += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(text: &str) {
        let mut out = Vec::new();
        let written = push(&mut out, text);
        assert_eq!(written, !text.contains('\0'), "{text:?}");
        if written {
            let quoted = format!("\"{}\"", String::from_utf8(out).unwrap());
            assert_eq!(quoted, serde_json::to_string(text).unwrap());
            assert_eq!(is_plain(text.as_bytes()), quoted.len() == text.len() + 2, "{text:?}");
        }
    }

    #[test]
    fn every_escape_is_found_at_every_place_in_every_length() {
        let odd = (0..0x80).map(|byte: u8| char::from(byte)).chain(['\u{80}', 'é', '\u{2028}', '語', '😀']);
        let odd: Vec<String> = odd.map(String::from).collect();
        // One buffer for all, so that text begins at every alignment.
        let plain = "~".repeat(80);
        for length in 0..=64 {
            for start in 0..8 {
                agrees(&plain[start..start + length]);
            }
            for at in 0..length {
                for odd in &odd {
                    agrees(&format!("{}{odd}{}", &plain[..at], &plain[at + 1..length]));
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_written_as_serde_json_writes_it(
            text in proptest::collection::vec(
                proptest::prop_oneof![4 => proptest::char::range(' ', '~'), 1 => proptest::char::any()],
                0..200,
            ),
            start in 0..8_usize,
        ) {
            let text: String = text.into_iter().collect();
            let from = text.char_indices().map(|(at, _)| at).nth(start).unwrap_or_default();
            agrees(&text[from..]);
        }
    }
}
