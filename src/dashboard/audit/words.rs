//! The search box: `actor:ann event:"order paid"`. Conditions only, no free text: a table of audit events has no index
//! for that, and half an answer would be taken for a whole one.

use super::qualifier::Qualifier;
use crate::dashboard::problem::Problem;

/// A condition.
pub(super) type Word = (Qualifier, String);

/// Takes the box apart. A value with spaces stands in quotes, where a backslash says that the next character is meant.
pub(super) fn parse(text: &str) -> Result<Vec<Word>, Problem> {
    let mut words: Vec<Word> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let name_end = rest.find(|at: char| at == ':' || at == '"' || at.is_whitespace()).unwrap_or(rest.len());
        let Some(behind) = rest[name_end..].strip_prefix(':') else {
            return Err(wrong(&format!("is searched by qualifiers, not for words such as `{}`", &rest[..name_end])));
        };
        let name = &rest[..name_end];
        let qualifier = Qualifier::named(name).ok_or_else(|| wrong(&format!("knows no `{name}:`")))?;
        let (value, after) = value(behind).ok_or_else(|| wrong(&format!("has an open quote behind `{name}:`")))?;
        if value.is_empty() {
            return Err(wrong(&format!("has no value behind `{name}:`")));
        }
        if words.iter().any(|(known, _)| *known == qualifier) {
            return Err(Problem::parameter("q", &format!("names `{name}:` twice")));
        }
        words.push((qualifier, value));
        rest = after.trim_start();
    }
    Ok(words)
}

fn wrong(reason: &str) -> Problem {
    Problem::parameter(
        "q",
        &format!("{reason}; there are {}, with values that have spaces in quotes", Qualifier::list()),
    )
}

/// The value that a text begins with, and what stands behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((value, &quoted[at + 1..])),
            (_, '\\') => value.push(chars.next()?.1),
            (_, one) => value.push(one),
        }
    }
}

/// The box that says this.
pub(super) fn print<'w>(words: impl IntoIterator<Item = &'w Word>) -> String {
    let word = |(qualifier, value): &Word| {
        let name = qualifier.name();
        if value.starts_with('"') || value.contains(char::is_whitespace) {
            format!("{name}:\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
        } else {
            format!("{name}:{value}")
        }
    };
    words.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_taken_apart_and_put_together() {
        let text = r#"  actor:ann event:"order \"paid\" \\" target:a:b/c"d  before:2026-05-07"#;
        let words = parse(text).unwrap();
        let values: Vec<_> = words.iter().map(|(qualifier, value)| (qualifier.name(), value.as_str())).collect();
        let expected =
            [("actor", "ann"), ("event", "order \"paid\" \\"), ("target", "a:b/c\"d"), ("before", "2026-05-07")];
        assert_eq!(values, expected);
        assert_eq!(parse(&print(&words)).unwrap(), words);
        for value in ["\"", "\\", " ", "a b\\", "ä\u{3000}ö", "\"\"", "x\"y z"] {
            let words = vec![(Qualifier::Target, value.to_owned())];
            assert_eq!(parse(&print(&words)).unwrap(), words, "{value}");
        }
        assert_eq!(parse(" ").unwrap(), []);
    }

    #[test]
    fn what_is_not_understood_is_told_with_what_there_is() {
        for (text, said) in [
            ("ann", "`ann`"),
            ("actor:ann paid", "`paid`"),
            ("\"actor:ann\"", "qualifiers"),
            ("actr:ann", "`actr:`"),
            (":ann", "`:`"),
            ("actor:", "no value"),
            ("actor: ann", "no value"),
            ("actor:\"\"", "no value"),
            ("actor:\"ann", "open quote"),
            ("actor:\"ann\\\"", "open quote"),
            ("actor:a actor:b", "twice"),
        ] {
            let detail = parse(text).unwrap_err().detail().to_owned();
            assert!(detail.contains(said), "{text}: {detail}");
            assert!(said == "twice" || detail.contains("actor-type: target:"), "{text}: {detail}");
        }
    }
}
