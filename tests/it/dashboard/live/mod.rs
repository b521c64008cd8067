//! Live updates.
