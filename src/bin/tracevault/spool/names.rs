//! How tables, files and moments are written on a screen.

use std::path::Path;

use tracevault::{
    TableName,
    time::{OffsetDateTime, macros::format_description},
};

use crate::printable::{Printable, escaped};

/// `table`, or `schema.table`.
pub(super) fn table(table: &TableName) -> String {
    match table.schema() {
        Some(schema) => escaped(&format!("{schema}.{}", table.name())),
        None => escaped(table.name()),
    }
}

/// Below the spool's directory, where it is there.
pub(super) fn file(dir: &Path, path: &Path) -> String {
    let path = path.strip_prefix(dir).unwrap_or(path);
    Printable(&path.display().to_string()).to_string()
}

pub(super) fn second(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z")).unwrap_or_default()
}
