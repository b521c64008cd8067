//! Just enough of Rust's grammar to know what a file names: without comments, strings and test modules.

use std::collections::BTreeSet;

/// The code alone: comments, the insides of strings and characters, and `#[cfg(test)]` items are blanked, lines kept.
pub fn code(text: &str) -> String {
    without_tests(&without_texts(text))
}

fn without_texts(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => line_end(&chars, at),
            '/' if chars.get(at + 1) == Some(&'*') => comment_end(&chars, at),
            '"' => string_end(&chars, at),
            'r' if !joined(&chars, at) && raw_hashes(&chars, at).is_some() => raw_end(&chars, at),
            '\'' => character_end(&chars, at),
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|char| if *char == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Whether the character belongs to a longer word, as the `r` of `for"`; `br"` is a raw string all the same.
fn joined(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') && chars[at - 1] != 'b'
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|char| *char == '\n').map_or(chars.len(), |length| at + length)
}

fn comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn string_end(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

fn raw_hashes(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|char| **char == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn raw_end(chars: &[char], at: usize) -> usize {
    let hashes = raw_hashes(chars, at).unwrap_or(0);
    let closes = |end: &usize| chars[*end] == '"' && chars[end + 1..].iter().take(hashes).all(|char| *char == '#');
    (at + hashes + 2..chars.len()).find(closes).map_or(chars.len(), |end| end + 1 + hashes)
}

/// A character ends with a quote soon; a lifetime does not.
fn character_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => {
            let close = chars[(at + 3).min(chars.len())..].iter().position(|char| *char == '\'');
            close.map_or(at, |length| at + 4 + length)
        }
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let rest = &out[start..];
        let item = rest.find(['{', ';']).unwrap_or(rest.len());
        let length = if rest[item..].starts_with('{') { item + block(&rest[item..]) } else { item };
        let blank: String = rest[..length].chars().map(|char| if char == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..start + length, &blank);
    }
    out
}

/// The length of the block that the text begins with, in bytes.
fn block(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, char) in text.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// The modules below the crate's root that this code names, `crate::{a, b::C}` and `super::` included, each as the first
/// step of its path. `module` is the file's own place: `["query", "sql"]` for `query/sql.rs`.
pub fn named(code: &str, module: &[&str]) -> BTreeSet<String> {
    let tokens = tokens(code);
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        let fresh = at == 0 || tokens[at - 1] != "::";
        if !fresh || !matches!(tokens[at], "crate" | "super" | "self") {
            at += 1;
            continue;
        }
        let mut place = if tokens[at] == "crate" { 0 } else { module.len() };
        let mut next = at;
        while matches!(tokens.get(next), Some(&("crate" | "super" | "self"))) && tokens.get(next + 1) == Some(&"::") {
            if tokens[next] == "super" {
                place = place.saturating_sub(1);
            }
            next += 2;
        }
        if next > at && place == 0 {
            firsts(&tokens[next..], &mut found);
        } else if next > at && place > 0 {
            // Inside of the folder, but `{super::super::x, ..}` may climb out of it.
            group(&tokens[next..], place, &mut found);
        }
        at = next.max(at + 1);
    }
    found
}

/// The first names of a path, or of each path of a group.
fn firsts(tokens: &[&str], found: &mut BTreeSet<String>) {
    match tokens.first() {
        Some(&"{") => each_of_group(tokens, |path| firsts(path, found)),
        Some(name) if !matches!(*name, "self" | "*" | "}" | ",") => drop(found.insert((*name).to_owned())),
        _ => {}
    }
}

fn group(tokens: &[&str], place: usize, found: &mut BTreeSet<String>) {
    if tokens.first() == Some(&"{") {
        each_of_group(tokens, |path| {
            let climbed = path.chunks(2).take_while(|step| step[0] == "super").count();
            if climbed >= place {
                firsts(&path[climbed * 2..], found);
            }
        });
    }
}

fn each_of_group<'t>(tokens: &'t [&'t str], mut path: impl FnMut(&'t [&'t str])) {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        let begins = depth == 1 && matches!(*token, "{" | ",");
        if begins {
            path(&tokens[at + 1..]);
        }
        if depth == 0 {
            return;
        }
    }
}

/// Words, `::`, and single signs.
pub fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while !rest.is_empty() {
        let word = rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len());
        let length = match word {
            0 if rest.starts_with("::") => 2,
            0 => rest.chars().next().map_or(1, char::len_utf8),
            word => word,
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, module: &[&str]) -> Vec<String> {
        named(&code(text), module).into_iter().collect()
    }

    #[test]
    fn every_way_to_name_a_module_is_seen() {
        assert_eq!(names("use crate::queue::Queue;", &["table"]), ["queue"]);
        assert_eq!(
            names("use crate::{error::Error, queue::{self, Stats},\n  pool,};", &["table"]),
            ["error", "pool", "queue"]
        );
        assert_eq!(names("fn f() -> crate::root::Tracevault {}", &["table"]), ["root"]);
        assert_eq!(names("use crate :: \n scope :: Scope;", &["table"]), ["scope"]);
        assert_eq!(names("use super::queue::Queue;", &["table"]), ["queue"]);
        assert_eq!(names("use super::sql::Select;", &["query", "row"]), Vec::<String>::new());
        assert_eq!(names("use super::super::queue::Queue;", &["query", "row"]), ["queue"]);
        assert_eq!(names("use super::{sql, super::queue};", &["query", "row"]), ["queue"]);
        assert_eq!(names("pub(crate) use self::driver::{Task};", &["error"]), Vec::<String>::new());
        assert_eq!(names("pub(in crate::queue) fn f() {}", &["table"]), ["queue"]);
        assert_eq!(names("m!(crate::scope);", &["table"]), ["scope"]);
    }

    #[test]
    fn comments_strings_and_tests_name_nothing() {
        let quiet = r##"
            // crate::queue /* not closed
            /* crate::queue /* nested */ crate::queue */
            //! [`crate::queue`]
            const A: &str = "crate::queue \" crate::queue";
            const B: &str = r#"crate::queue " crate::queue"#;
            const C: char = '"'; const D: char = '\''; const E: &[u8] = br"crate::queue";
            fn f<'a>(a: &'a str) {}
            #[cfg(test)]
            mod tests { use crate::queue::Queue; fn f() { let _ = "}"; } }
            #[cfg(test)]
            use crate::queue::Queue;
        "##;
        assert_eq!(names(quiet, &["table"]), Vec::<String>::new());
        assert_eq!(names(&format!("{quiet} use crate::pool;"), &["table"]), ["pool"]);
        assert_eq!(code(quiet).lines().count(), quiet.lines().count());
    }
}
