//! Text inside a JSON string. Most text needs no escape, and is found to need none many bytes at a time.

/// Appends the text as a JSON string, escaped as `serde_json` does; `false`, leaving it half-written, where it holds NUL.
#[inline]
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) -> bool {
    let bytes = text.as_bytes();
    if !is_plain(bytes) {
        return push_escaped(out, bytes);
    }
    if bytes.len() <= SHORT {
        push_short::<false>(out, bytes, false);
    } else {
        push_long(out, bytes);
    }
    true
}

/// The same of an object's key, with the comma before it, unless it is the first, and the colon behind it.
#[inline]
pub(super) fn push_key(out: &mut Vec<u8>, key: &str, first: bool) -> bool {
    let bytes = key.as_bytes();
    if bytes.len() <= SHORT && is_plain(bytes) {
        push_short::<true>(out, bytes, !first);
        return true;
    }
    if !first {
        out.push(b',');
    }
    let written = push_text(out, key);
    out.push(b':');
    written
}

/// Text of up to so many bytes is written as one block of fixed size, which takes no call of `memcpy`.
const SHORT: usize = BLOCK - 4;
const BLOCK: usize = 32;

#[inline]
fn push_short<const KEY: bool>(out: &mut Vec<u8>, bytes: &[u8], comma: bool) {
    let lead = usize::from(comma) + 1;
    let end = out.len() + lead + bytes.len() + 1 + usize::from(KEY);
    out.extend_from_slice(&[b'"'; BLOCK]);
    if let Some(block) = out.last_chunk_mut::<BLOCK>() {
        if comma {
            block[0] = b',';
        }
        let room = &mut block[lead..];
        let placed = place::<16>(room, bytes) || place::<8>(room, bytes) || place::<4>(room, bytes);
        if !placed {
            room.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        }
        if KEY {
            room[bytes.len() + 1] = b':';
        }
    }
    out.truncate(end);
}

fn push_long(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(bytes);
    out.push(b'"');
}

/// Copies `N` to twice `N` bytes, as two pieces that may overlap.
#[inline]
fn place<const N: usize>(room: &mut [u8], bytes: &[u8]) -> bool {
    let Some((first, last)) = ends::<N>(bytes) else { return false };
    room[..N].copy_from_slice(first);
    room[bytes.len() - N..bytes.len()].copy_from_slice(last);
    true
}

/// The first and the last `N` bytes, unless there are fewer.
#[inline]
fn ends<const N: usize>(bytes: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
    bytes.first_chunk().zip(bytes.last_chunk())
}

fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    out.push(b'"');
    let mut rest = bytes;
    loop {
        let (plain, special) = rest.split_at(plain_prefix(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else { break };
        rest = after;
        match ESCAPES[usize::from(byte)] {
            _ if byte == 0 => return false,
            HEX => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let (high, low) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
    }
    out.push(b'"');
    true
}

/// How many bytes stand before the first control character, quote or backslash.
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = specials(u64::from_le_bytes(*word));
        if found != 0 {
            return index * 8 + (found.trailing_zeros() / 8) as usize;
        }
    }
    bytes.len() - rest.len() + rest.iter().take_while(|byte| ESCAPES[usize::from(**byte)] == PLAIN).count()
}

/// Whether no byte is a control character, a quote or a backslash.
#[inline]
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    // The last block overlaps the one before it, so that no length needs a loop over single bytes.
    if let Some(last) = bytes.last_chunk::<16>() {
        bytes.as_chunks::<16>().0.iter().all(block_is_plain) && block_is_plain(last)
    } else if let Some((first, last)) = ends::<8>(bytes) {
        specials(u64::from_le_bytes(*first)) | specials(u64::from_le_bytes(*last)) == 0
    } else if let Some((first, last)) = ends::<4>(bytes) {
        specials(u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32) == 0
    } else {
        bytes.iter().all(|&byte| ESCAPES[usize::from(byte)] == PLAIN)
    }
}

/// Without a branch, so that the compiler makes vector instructions of it.
#[inline]
fn block_is_plain(block: &[u8; 16]) -> bool {
    let special = |byte: u8| u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\');
    block.iter().fold(0, |found, byte| found | special(*byte)) == 0
}

/// The high bits of those bytes of a word that are special. Above the lowest of them there may be false ones.
#[inline]
fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH_BITS: u64 = ONES << 7;
    let below = |word: u64, least: u64| word.wrapping_sub(ONES * least) & !word;
    let (quotes, backslashes) = (word ^ (ONES * u64::from(b'"')), word ^ (ONES * u64::from(b'\\')));
    (below(word, 0x20) | below(quotes, 1) | below(backslashes, 1)) & HIGH_BITS
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
        let written = push_text(&mut out, text);
        assert_eq!(written, !text.contains('\0'), "{text:?}");
        if written {
            let quoted = String::from_utf8(out).unwrap();
            assert_eq!(quoted, serde_json::to_string(text).unwrap());
            let mut keys = Vec::new();
            assert!(push_key(&mut keys, text, true) && push_key(&mut keys, text, false));
            assert_eq!(String::from_utf8(keys).unwrap(), format!("{quoted}:,{quoted}:"));
            let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
            assert_eq!(plain_prefix(text.as_bytes()), text.bytes().position(special).unwrap_or(text.len()), "{text:?}");
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
