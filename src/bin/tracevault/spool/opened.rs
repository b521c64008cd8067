//! A spool that this process owns for a while.

use std::path::Path;

use tracevault::{
    Config, Error, Scope, ScopeOverrides, SpoolConfig, TableName, Tracevault,
    spool::{self, Listing},
};

use crate::console::{self, Exit};

/// The root that owns it, and a scope for each table.
pub(super) struct Opened {
    pub(super) audit: Tracevault,
    pub(super) scopes: Vec<Scope>,
}

/// What is there, before anything is made: an empty one is not opened.
pub(super) fn tables(dir: &Path) -> Result<Vec<Listing>, Exit> {
    // Opening makes what is not there, and a name that was mistyped should stay nothing.
    spool::list(dir).map_err(|error| console::fail(&error))
}

impl Opened {
    /// Takes the lock; the delivery begins.
    pub(super) fn open(dir: &Path, config: Config, tables: &[Listing]) -> Result<Self, Error> {
        // Scopes inherit a schema, and cannot be without one again.
        let first = tables.iter().find(|of| of.table.schema().is_none()).or(tables.first());
        let config = config.spool(SpoolConfig::new(dir).max_bytes(1 << 50));
        let audit = Tracevault::new(match first.map(|of| &of.table) {
            Some(table) => named(config.table_name(table.name()), table, Config::schema),
            None => config,
        })?;
        let scope = |of: &Listing| {
            let overrides = ScopeOverrides::new().table_name(of.table.name());
            audit.scope(named(overrides, &of.table, ScopeOverrides::schema))
        };
        let scopes = tables.iter().map(scope).collect::<Result<_, _>>()?;
        Ok(Self { audit, scopes })
    }

    /// Records that are not stored.
    pub(super) fn left(&self) -> u64 {
        self.audit.spool().map_or(0, |spool| spool.stats().records)
    }
}

fn named<'t, S>(settings: S, table: &'t TableName, set: fn(S, &'t str) -> S) -> S {
    match table.schema() {
        Some(schema) => set(settings, schema),
        None => settings,
    }
}
