//! How a [`Cluster`](super::Cluster) is made.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// How a [`Cluster`](super::Cluster) is made: `Options { fsync: true, ..Options::new(bin) }`.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of `initdb` and `postgres`.
    pub bin: PathBuf,
    /// Whether what is committed survives the machine; off, because it is slow and tests seldom cut the power.
    pub fsync: bool,
    /// Whether it listens on a free port of 127.0.0.1 too; off: on its socket only.
    pub tcp: bool,
    /// Further lines of `postgresql.conf`, as name and unquoted value; they win over ours.
    pub settings: Vec<(String, String)>,
    /// Further files of the data folder, by name and content, that the server alone may read; they replace its own.
    pub files: Vec<(String, String)>,
}

impl Options {
    /// `fsync` off, socket only, no further settings or files.
    #[must_use]
    pub fn new(bin: impl Into<PathBuf>) -> Self {
        Self { bin: bin.into(), fsync: false, tcp: false, settings: Vec::new(), files: Vec::new() }
    }

    /// The lines to add to `postgresql.conf` of a server whose socket is in `folder`.
    pub fn settings_file(&self, folder: &Path) -> String {
        let durable = if self.fsync { "on" } else { "off" };
        let address = if self.tcp { "127.0.0.1" } else { "" };
        let ours = [
            ("listen_addresses", address),
            ("unix_socket_directories", &*folder.to_string_lossy()),
            ("max_connections", "200"),
            ("fsync", durable),
            ("full_page_writes", durable),
        ];
        let theirs = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        ours.into_iter().chain(theirs).fold(String::from("\n"), |mut lines, (name, value)| {
            let _ = writeln!(lines, "{name} = '{}'", value.replace('\\', r"\\").replace('\'', "''"));
            lines
        })
    }
}
