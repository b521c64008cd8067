use super::{run, run_at, tracevault};
use crate::kit::CANARY;

#[test]
fn help_and_version_are_on_stdout_and_show_no_secret() {
    let url = format!("postgres://user:{CANARY}@localhost/db");
    let version = run_at(&url, &["--version"], "");
    assert_eq!((version.code, version.out), (0, format!("tracevault {}\n", env!("CARGO_PKG_VERSION"))));
    for args in [&["--help"][..], &["emit", "--help"], &["emit", "-h"], &["query", "--help"], &["init-sql", "--help"]] {
        let help = run_at(&url, args, "");
        assert_eq!((help.code, help.err.as_str()), (0, ""));
        assert!(help.out.contains("Examples:"), "{args:?}");
        assert!(args.len() == 1 || help.out.contains("Exit codes:"), "{args:?}");
    }
}

#[test]
fn what_cannot_be_meant_is_exit_2() {
    let url = "postgres://user@127.0.0.1:1/db";
    let long = "e".repeat(129);
    for (args, words) in [
        (&[][..], "Usage:"),
        (&["nothing"], "unrecognized subcommand"),
        (&["init-sql"], "<TABLE>"),
        (&["init-sql", "audit-logs"], "tracevault: `<TABLE>` must be 1 to 63"),
        (&["init-sql", "t", "--schema", "a b"], "tracevault: `--schema` must be"),
        (&["init-sql", "t", "--indexes", "many"], "read-heavy"),
        (&["emit", "--mode", "later"], "[possible values: sync, async]"),
        (&["emit", "--mask-pattern", "("], "regex parse error"),
        (&["emit", "--batch-size", "0"], "tracevault: `--batch-size` must be from 1 to "),
        (&["emit", "--batch-size", "99999999999999"], "tracevault: `--batch-size` must be from 1 to "),
        (&["emit", "--mask-field", " "], "tracevault: `--mask-field` must not hold"),
        (&["emit", "--mask-pattern", "a*"], "tracevault: `--mask-pattern` must not hold"),
        (&["emit", "--environment", ""], "a value is required for '--environment"),
        (&["emit", "--environment", &long], "tracevault: `--environment` must"),
        (&["emit", "--table", "x; drop"], "tracevault: `--table` must be"),
        (&["query", "--table", "x; drop"], "tracevault: `--table` must be"),
        (&["query", "--from", "yesterday"], "must be an RFC 3339 date and time"),
        (&["query", "--from", "99999999999999d"], "is too long ago"),
        (&["query", "--from", "d"], "must be an RFC 3339 date and time"),
        (&["query", "--id", "7"], "--id"),
        (&["query", "--limit", "-1"], "unexpected argument"),
        (&["query", "--all", "--limit", "3"], "cannot be used with"),
        (&["query", "--count", "--order", "asc"], "cannot be used with"),
        (&["query", "--id", "0199c2a1-7d9b-7c3e-8a54-1f0e5d9b6a70", "--event", "e"], "cannot be used with"),
    ] {
        let ran = run_at(url, args, "");
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
    }
}

#[tokio::test]
async fn contradicting_filters_are_exit_2() {
    let table = crate::kit::Table::new("cli_usage").await;
    let ran = run(&["query", "--table", &table.name, "--from", "1h", "--to", "2h"], "");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert_eq!(ran.err, "tracevault: `from` is later than `to`: nothing could be found\n");
    table.drop().await;
}

#[test]
fn a_connection_string_is_never_repeated() {
    let secret = format!("postgres://user:{CANARY}@127.0.0.1:1/db");
    for args in [
        &["emit", &secret][..],
        &["query", &secret],
        &["query", "--database-url", &secret, "--nonsense"],
        &[&secret],
        &["query", "--limit", &secret],
        &["query", &format!("--databse-url={secret}")],
        &["emit", "--mode", &format!("host=x password={CANARY}")],
    ] {
        let ran = run_at("", args, "");
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        assert!(ran.err.contains("Usage:") || ran.err.contains("--help"), "{}", ran.err);
    }
    for (bad, why) in [
        (format!("postgres://u:{CANARY}@h:notaport/db"), "has a `port` that is not a number"),
        (format!("host=h pasword={CANARY}"), "has the key `pasword`, which is not known here"),
        (CANARY.to_owned(), "is not a `postgres://` URL"),
    ] {
        for command in ["emit", "query"] {
            let ran = run_at(&bad, &[command], "");
            let said = format!("the connection string (`DATABASE_URL` or `--database-url`) {why}");
            assert!(ran.code == 2 && ran.err.contains(&said), "{} {}", ran.code, ran.err);
        }
    }
}

#[test]
fn without_a_connection_string_it_says_where_one_goes() {
    for command in ["emit", "query"] {
        for url in [None, Some("  ")] {
            let mut child = tracevault(&[command], url.unwrap_or_default());
            if url.is_none() {
                child.env_remove("DATABASE_URL");
            }
            let ran = super::ended(child.spawn().unwrap());
            assert_eq!(ran.code, 2);
            assert_eq!(ran.err, "tracevault: no database: set DATABASE_URL, or pass --database-url\n");
        }
    }
}
