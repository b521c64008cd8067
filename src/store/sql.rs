//! The texts of a table's statements.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{record::COLUMNS, table::TableName};

/// The texts of one table's statements, and what was learned about it.
pub(super) struct Texts {
    /// One row.
    pub(super) row: String,
    /// One array a column.
    pub(super) arrays: String,
    pub(super) copy: String,
    /// They may be kept prepared.
    pub(super) prepares: bool,
    copies: AtomicBool,
}

impl Texts {
    pub(super) fn of(table: &TableName, prepares: bool) -> Self {
        let columns = COLUMNS.join(", ");
        Self {
            row: insert(table, false, false),
            arrays: insert(table, true, false),
            copy: format!("COPY {table} ({columns}) FROM STDIN (FORMAT binary)"),
            prepares,
            copies: AtomicBool::new(true),
        }
    }

    /// Whether COPY was not refused yet.
    pub(super) fn copies(&self) -> bool {
        self.copies.load(Ordering::Relaxed)
    }

    /// It was: there is row-level security, or a view without a trigger.
    pub(super) fn never_copy(&self) {
        self.copies.store(false, Ordering::Relaxed);
    }
}

/// `may_repeat`: what is there already is left alone, and the statement answers the ids that were stored.
pub(super) fn insert(table: &TableName, many: bool, may_repeat: bool) -> String {
    let mut sql = format!("INSERT INTO {table} ({}) ", COLUMNS.join(", "));
    sql.push_str(if many { "SELECT * FROM unnest(" } else { "VALUES (" });
    for index in 0..COLUMNS.len() {
        // Writing to a String cannot fail.
        let _ = write!(sql, "{}${}", if index == 0 { "" } else { ", " }, index + 1);
    }
    sql.push(')');
    if may_repeat {
        sql.push_str(" ON CONFLICT (id) DO NOTHING RETURNING id");
    }
    sql
}
