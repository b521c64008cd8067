//! Whether statements are prepared by name.

use serde::Deserialize;

/// Whether statements are kept prepared on their connections, which saves PostgreSQL from planning each one anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum StatementMode {
    /// They are where a connection leads straight to one server process, and not behind a pooler, which is found out by
    /// itself, and remembered for the pool.
    #[default]
    Auto,
    /// They are. Behind a pooler in transaction mode this fails, or worse: another client's statement of the same name
    /// may run.
    Prepared,
    /// They are not, and nothing is stored by COPY: what every pooler takes.
    Unnamed,
}
