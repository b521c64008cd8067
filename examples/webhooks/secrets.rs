//! What of a delivery is nobody's business.

use tracevault::regex::{Error, Regex};

/// Keys whose values are hidden, in any case and at any depth.
pub(crate) const FIELDS: [&str; 7] =
    ["email", "token", "access_token", "refresh_token", "secret", "client_secret", "password"];

/// What is hidden wherever it stands in a text.
pub(crate) fn patterns() -> Result<Vec<Regex>, Error> {
    let patterns = [
        // GitHub's own tokens.
        "gh[opsur]_[A-Za-z0-9]{36,}",
        // An address in the header of a commit.
        r"<[^<>@\s]+@[^<>@\s]+>",
        // An address alone, under a key of any name; `git@github.com:owner/name.git` is none.
        r"^[^\s@:/]+@[^\s@:/]+\.[a-z]+$",
    ];
    patterns.into_iter().map(Regex::new).collect()
}
