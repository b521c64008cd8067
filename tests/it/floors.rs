//! The rules of the house that a compiler does not know: imports run downward, PostgreSQL stays behind its doors.

mod source;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use self::source::{code, named, tokens};

/// Which modules stand on which floor. What imports something may stand no lower than it.
const FLOORS: [&[&str]; 4] = [
    &[
        "table",
        "event",
        "payload",
        "mask",
        "diff",
        "record",
        "config",
        "clock",
        "ids",
        "moment",
        "schema",
        "correlation",
        "error",
        "receipt",
        "object",
        "tuple",
        "encoded",
        "metrics",
    ],
    &["pool", "store", "lifecycle"],
    &["queue", "spool"],
    &["emit", "reservation", "probe", "scope", "context", "root"],
];
/// Optional, and using only what lies below.
const ROOF: [&str; 7] = ["testing", "docs", "http", "traffic", "dashboard", "ledger", "bin"];
const READING: &str = "query";
/// What reading may stand on: nothing that writes.
const UNDER_READING: [&str; 2] = ["pool", "lifecycle"];
/// The one place that wires both sides.
const WIRING: &str = "root";

const POSTGRES: [&str; 2] = ["tokio_postgres", "deadpool_postgres"];
const MAY_NAME_POSTGRES: [&str; 9] = ["store", "pool", "query", "error", "root", "scope", "lib", "emit", "probe"];
const MAY_HAVE_FEATURES: [&str; 7] = ["lib", "error", "root", "metrics", "pool/tls/mod", "config/spool", "spool"];

/// A source file, its path below `src` without the ending.
struct File {
    path: String,
    text: String,
}

impl File {
    fn module(&self) -> Vec<&str> {
        self.path.split('/').filter(|step| *step != "mod").collect()
    }

    fn top(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    fn on_the_roof(&self) -> bool {
        ROOF.contains(&self.top())
    }
}

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().with_extension("");
                let path_in_src = name.to_string_lossy().replace('\\', "/");
                files.push(File { path: path_in_src, text: fs::read_to_string(path).unwrap() });
            }
        }
    }
    files
}

/// Types that `lib.rs` exports, by the module they come from.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let code = code(lib);
    let tokens = tokens(&code);
    let mut exports = BTreeMap::new();
    let Some(start) = tokens.windows(4).position(|four| four == ["use", "self", "::", "{"]) else { return exports };
    let mut module = "";
    let mut depth = 0_usize;
    for pair in tokens[start + 3..].windows(2) {
        match pair[0] {
            "{" => depth += 1,
            "}" => depth -= 1,
            word if word.starts_with(char::is_alphabetic) => {
                if depth == 1 && pair[1] == "::" {
                    module = word;
                } else {
                    exports.insert(word.to_owned(), module.to_owned());
                }
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    exports
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// What is wrong with a file's imports.
fn wrong_imports(file: &File, exports: &BTreeMap<String, String>) -> Vec<String> {
    let here = file.top();
    if here == "lib" || file.on_the_roof() {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    if here != READING && floor(here).is_none() {
        return vec![format!("{}: stands on no floor: give it one", file.path)];
    }
    for name in named(&code(&file.text), &file.module()) {
        // `crate::Error` is where `lib.rs` takes it from.
        let there = exports.get(&name).unwrap_or(&name).as_str();
        let allowed = if here == there {
            true
        } else if here == READING {
            floor(there) == Some(0) || UNDER_READING.contains(&there)
        } else if there == READING {
            here == WIRING
        } else {
            floor(there).is_some_and(|below| Some(below) <= floor(here))
        };
        if !allowed {
            wrong.push(format!("{}: must not import `{name}`", file.path));
        }
    }
    wrong
}

/// Files that are compiled for unit tests only: what `mod name;` declares below `#[cfg(test)]`.
fn test_files(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let here = file.path.strip_suffix("/mod").unwrap_or(&file.path);
        let lines: Vec<_> = file.text.lines().map(str::trim).collect();
        for pair in
            lines.windows(2).filter(|pair| pair[0].starts_with("#[cfg(test)]") || pair[0].starts_with("#[cfg(all(test"))
        {
            if let Some(name) = pair[1].strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
                found.push(format!("{here}/{name}"));
            }
        }
    }
    found
}

fn is_source(file: &File, tests: &[String]) -> bool {
    !tests.iter().any(|test| file.path == *test || file.path.starts_with(&format!("{test}/")))
}

/// What is wrong with what a file names, or how it is written.
fn wrong_words(file: &File) -> Vec<String> {
    let code = code(&file.text);
    let tokens = tokens(&code);
    let mut wrong = Vec::new();
    let mut say = |what: &str| wrong.push(format!("{}: {what}", file.path));
    if tokens.iter().any(|token| POSTGRES.contains(token))
        && !file.on_the_roof()
        && !MAY_NAME_POSTGRES.contains(&file.top())
    {
        say("must not name PostgreSQL's types");
    }
    let conditional = tokens.windows(3).any(|three| matches!(three, ["(" | ",", "feature", "="]));
    let may = file.on_the_roof() || MAY_HAVE_FEATURES.iter().any(|one| *one == file.path || *one == file.top());
    if conditional && !may {
        say("must not depend on a feature");
    }
    if file.text.lines().count() > 500 {
        say("is over 500 lines");
    }
    if file.top() != "bin" {
        for (at, token) in tokens.iter().enumerate() {
            let (before, after) = (at.checked_sub(1).map(|at| tokens[at]), tokens.get(at + 1).copied());
            match (*token, before, after) {
                ("println" | "eprintln" | "print" | "eprint" | "dbg", _, Some("!")) => say("prints"),
                ("unwrap", Some("." | "::"), Some("(")) => say("unwraps"),
                ("unsafe", _, Some("{" | "fn" | "impl")) => say("is unsafe"),
                _ => {}
            }
        }
        let expected = file.text.matches("#[expect(clippy::expect_used").count();
        if tokens.windows(3).filter(|three| three == &[".", "expect", "("]).count() > expected {
            say("expects without giving its reason");
        }
    }
    if file.path == "lib" && tokens.iter().any(|token| is_item(token)) {
        say("holds more than docs, modules and exports");
    }
    wrong
}

fn is_item(token: &str) -> bool {
    matches!(token, "fn" | "struct" | "enum" | "trait" | "impl" | "const" | "static" | "type" | "macro_rules" | "union")
}

#[test]
fn imports_run_downward() {
    let files = files();
    assert!(files.len() > 30, "the sources are found");
    let lib = files.iter().find(|file| file.path == "lib").unwrap();
    let exports = exports(&lib.text);
    assert_eq!(exports.get("Error").map(String::as_str), Some("error"));
    assert_eq!(exports.get("Tracevault").map(String::as_str), Some("root"));
    let tests = test_files(&files);
    let sources = files.iter().filter(|file| is_source(file, &tests));
    let wrong: Vec<_> = sources.flat_map(|file| wrong_imports(file, &exports)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn words_stay_where_they_belong() {
    let files = files();
    let tests = test_files(&files);
    let wrong: Vec<_> = files.iter().filter(|file| is_source(file, &tests)).flat_map(wrong_words).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_has_its_floor() {
    let all = files();
    for module in FLOORS.iter().flat_map(|floor| floor.iter()) {
        assert!(all.iter().any(|file| file.top() == *module), "{module} is gone: take it off its floor");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    fn imports(path: &str, text: &str) -> usize {
        let exports = exports("pub use self::{error::{DriverError, Error}, root::Tracevault, queue::Stats};");
        wrong_imports(&file(path, text), &exports).len()
    }

    #[test]
    fn an_import_that_climbs_is_seen() {
        assert_eq!(imports("table", "use crate::error::Error;"), 0);
        assert_eq!(imports("table", "use crate::Error;"), 0);
        assert_eq!(imports("table", "use crate::{DriverError, Stats};"), 1);
        assert_eq!(imports("table", "use crate::pool::Lease;"), 1);
        assert_eq!(imports("table", "use super::pool::Lease;"), 1);
        assert_eq!(imports("payload/ser", "use super::super::store::Store;"), 1);
        assert_eq!(imports("store/mod", "use crate::{record::Record, queue::Queue};"), 1);
        assert_eq!(imports("store/postgres", "use super::Store; use crate::pool;"), 0);
        assert_eq!(imports("queue/mod", "use crate::{scope::Scope, context::Context};"), 2);
        assert_eq!(imports("scope", "use crate::{root::Tracevault, emit, store, queue};"), 0);
        assert_eq!(imports("scope", "use crate::testing::Recorder;"), 1);
        assert_eq!(imports("novelty", ""), 1);
        assert_eq!(imports("http/mod", "use crate::{Tracevault, query};"), 0);
    }

    #[test]
    fn reading_and_writing_never_meet() {
        for writing in ["queue", "scope", "root", "store", "emit", "context"] {
            assert_eq!(imports("query/sql", &format!("use crate::{writing};")), 1, "{writing}");
            let wires = usize::from(writing != "root");
            assert_eq!(imports(writing, "use crate::query::Query;"), wires, "{writing}");
        }
        assert_eq!(imports("query/mod", "use crate::{pool, lifecycle, error, table, schema}; use self::sql;"), 0);
        assert_eq!(imports("pool", "use crate::query::Query;"), 1);
    }

    fn words(path: &str, text: &str) -> usize {
        wrong_words(&file(path, text)).len()
    }

    #[test]
    fn a_word_out_of_place_is_seen() {
        assert_eq!(words("queue/mod", "use tokio_postgres::Row;"), 1);
        assert_eq!(words("queue/mod", "// tokio_postgres"), 0);
        assert_eq!(words("store/postgres", "use tokio_postgres::Row;"), 0);
        assert_eq!(words("record", "fn f(p: deadpool_postgres::Pool) {}"), 1);
        assert_eq!(words("scope", "#[cfg(feature = \"x\")] mod a;"), 1);
        assert_eq!(words("scope", "#[cfg_attr(feature = \"x\", derive(Debug))] struct A;"), 1);
        assert_eq!(words("scope", "#[cfg(all(unix, feature = \"x\"))]\nmod a;"), 1);
        assert_eq!(words("scope", "const A: bool = cfg!(feature = \"x\");"), 1);
        for path in ["lib", "error/mod", "error/driver", "root", "pool/tls/mod", "http/mod", "testing"] {
            assert_eq!(words(path, "#[cfg(feature = \"x\")] mod a;"), 0, "{path}");
        }
        for path in ["store/postgres", "pool/tls/speaker", "pool/connector"] {
            assert_eq!(words(path, "#[cfg(feature = \"x\")] mod a;"), 1, "{path}");
        }
        assert_eq!(words("scope", "fn f() { println!(); eprintln!(); dbg!(1); }"), 3);
        assert_eq!(words("scope", "fn f() { a.unwrap(); Option::unwrap(a); a.unwrap_or_default(); }"), 2);
        assert_eq!(words("scope", "fn f() { a.expect(\"b\"); }"), 1);
        assert_eq!(words("scope", "#[expect(clippy::expect_used, reason = \"c\")] fn f() { a.expect(\"b\"); }"), 0);
        assert_eq!(words("scope", "#[cfg(test)] mod tests { fn f() { a.unwrap(); println!(); } }"), 0);
        assert_eq!(words("bin/tracevault/main", "fn f() { println!(); }"), 0);
        assert_eq!(words("scope", &"\n".repeat(501)), 1);
        assert_eq!(words("lib", "//! docs\nmod a; pub use self::a::B;"), 0);
        assert_eq!(words("lib", "fn f() {}"), 1);
    }
}

/// An example is to be read in one go.
#[test]
fn an_example_has_at_most_80_lines_a_file() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                seen += 1;
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                assert!(lines <= 80, "{} has {lines} lines", path.display());
            }
        }
    }
    assert!(seen > 20);
}
