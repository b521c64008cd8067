//! Where a spool is kept, and how safe a record is when it is acknowledged.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{
    Deserialize,
    de::{MapAccess, value::MapAccessDeserializer},
};

use super::wire;
use crate::{
    error::ConfigError,
    object::{self, Object},
};

/// When a spooled record counts as being on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum SpoolSync {
    /// After `fsync`, which all that wait share: an acknowledged record survives the process and the machine.
    #[default]
    Always,
    /// Once it is written; `fsync` follows within [`sync_interval`](SpoolConfig::sync_interval). It survives the process;
    /// a power failure may take what was acknowledged in the last interval.
    Interval,
    /// Once it is written; the system decides when it reaches the disk. It survives the process, and no power failure.
    Os,
}

/// A directory in which the records of async emits are kept until PostgreSQL has them.
///
/// | key | default | |
/// |---|---|---|
/// | `dir` | required | made if it is not there, mode 0700; one process at a time |
/// | `sync` | always | or interval, or os |
/// | `sync_interval` | 100 ms | for interval |
/// | `max_bytes` | 4 GiB | of records on disk; what then is full is told by [`when_full`](crate::Config::when_full) |
/// | `segment_bytes` | 16 MiB | a file is begun anew at this size, and removed when all of it is stored; from 64 KiB to 1 GiB |
///
/// In a file: `"spool": { "dir": "/var/lib/app/spool", "sync": "interval", "syncIntervalMs": 50, "maxBytes": 1000000000 }`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields, rename_all = "camelCase")]
pub struct SpoolConfig {
    #[serde(deserialize_with = "object::quietly")]
    dir: Option<PathBuf>,
    #[serde(deserialize_with = "object::quietly")]
    sync: Option<SpoolSync>,
    #[serde(rename = "syncIntervalMs", alias = "sync_interval_ms", deserialize_with = "wire::millis")]
    sync_interval: Option<Duration>,
    #[serde(alias = "max_bytes", deserialize_with = "object::quietly")]
    max_bytes: Option<u64>,
    #[serde(alias = "segment_bytes", deserialize_with = "object::quietly")]
    segment_bytes: Option<u64>,
}

impl<'de> Object<'de> for SpoolConfig {
    const RULE: &'static str = "a spool must be an object";

    fn read<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(members))
    }
}

impl<'de> Deserialize<'de> for SpoolConfig {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object::read(deserializer)
    }
}

impl SpoolConfig {
    /// A spool in this directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: Some(dir.into()), ..Self::default() }
    }

    /// When a record counts as being on disk. Default: [`SpoolSync::Always`].
    #[must_use]
    pub fn sync(mut self, sync: SpoolSync) -> Self {
        self.sync = Some(sync);
        self
    }

    /// How long after it was written a record may wait for `fsync`, with [`SpoolSync::Interval`]. Default: 100 ms.
    #[must_use]
    pub fn sync_interval(mut self, interval: Duration) -> Self {
        self.sync_interval = Some(interval);
        self
    }

    /// How many bytes of records may be on disk. Default: 4 GiB.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// How large a file grows. Default: 16 MiB.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = Some(bytes);
        self
    }

    pub(super) fn resolve(self) -> Result<SpoolSettings, ConfigError> {
        let Self { dir, sync, sync_interval, max_bytes, segment_bytes } = self;
        let Some(dir) = dir.filter(|dir| dir != Path::new("")) else {
            return Err(ConfigError::new("spool.dir", "is required: the directory where records are kept"));
        };
        let interval = sync_interval.unwrap_or(Duration::from_millis(100));
        if interval.is_zero() || interval > Duration::from_secs(60) {
            return Err(ConfigError::new("spool.sync_interval", "must be from 1 ms to 60 s"));
        }
        let segment_bytes = segment_bytes.unwrap_or(16 << 20);
        if !((64 << 10)..=(1 << 30)).contains(&segment_bytes) {
            return Err(ConfigError::new("spool.segment_bytes", "must be from 65536 (64 KiB) to 1073741824 (1 GiB)"));
        }
        let max_bytes = max_bytes.unwrap_or(4 << 30);
        if !(segment_bytes..=(1 << 50)).contains(&max_bytes) {
            return Err(ConfigError::new("spool.max_bytes", "must be at least `segment_bytes`, and at most 1 PiB"));
        }
        let sync = match sync.unwrap_or_default() {
            SpoolSync::Always => Sync::Always,
            SpoolSync::Interval => Sync::Interval(interval),
            SpoolSync::Os => Sync::Os,
        };
        Ok(SpoolSettings { dir, sync, max_bytes, segment_bytes })
    }
}

/// When a record is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sync {
    Always,
    Interval(Duration),
    Os,
}

/// A spool's configuration, checked.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "spool"), expect(dead_code, reason = "refused without the feature"))]
pub(crate) struct SpoolSettings {
    pub(crate) dir: PathBuf,
    pub(crate) sync: Sync,
    pub(crate) max_bytes: u64,
    pub(crate) segment_bytes: u64,
}
