//! The end of a story that went wrong.

use std::error::Error;

/// An error and its causes, each once.
pub(crate) fn lament(error: &dyn Error) {
    eprintln!("\nerror: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because {error}");
        cause = error.source();
    }
}
