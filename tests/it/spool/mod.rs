//! The spool, through its public face.

mod format;
