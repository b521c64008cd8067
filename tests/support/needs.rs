//! A test that lacks a facility says so aloud instead of passing in silence.

use std::env;
use std::io::{self, Write as _};

/// Set to `all`, it turns every absent facility into a failure.
pub const REQUIRE: &str = "TRACEVAULT_TEST_REQUIRE";

/// Whether the test may go on: `present`, or else a `NOT RUN` line on stderr.
///
/// `install` is the command that brings the facility.
///
/// # Panics
/// When the facility is absent and `TRACEVAULT_TEST_REQUIRE` is `all`.
#[must_use]
pub fn needs(facility: &str, present: bool, install: &str) -> bool {
    if present {
        return true;
    }
    assert!(
        env::var_os(REQUIRE).is_none_or(|value| value != "all"),
        "needs {facility} ({install}), and {REQUIRE}=all forbids leaving it out"
    );
    // Not eprintln!, whose output the test runner hides when the test passes.
    let _ = writeln!(io::stderr(), "NOT RUN: needs {facility} ({install})");
    false
}
