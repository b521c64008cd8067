//! A spool: async emits on this machine's disk until PostgreSQL has them, so that an accepted event survives the process
//! and the machine.
//!
//! # The way of a record
//! ```text
//! emit ─▶ checked, masked ─▶ Stream ─▶ Appender ─▶ segment, fsync ─▶ emit returns `Spooled`
//!                                                     │
//!                        Feed ◀── reads in order ─────┘
//!                          └─▶ a queue of its own ─▶ PostgreSQL ─▶ cursor, fsync ─▶ the segment is removed
//!                                      └─▶ refused by PostgreSQL ─▶ dead letter, fsync ─▶ cursor
//! ```
//! The disk is the queue, and memory a window on it: what was just written and what a process before left there take the
//! same way, in the order in which it was acknowledged, one log for each table. A record is sent to PostgreSQL once in a
//! process; what an earlier process left is sent with `ON CONFLICT (id) DO NOTHING`, since it may be there already: so the
//! effect is exactly once, as long as its row is not deleted meanwhile.
//!
//! # On disk, version 1
//! All integers are little-endian. Directories have mode 0700, files 0600. What is written was masked before.
//!
//! ```text
//! DIR/lock                         held (flock) by the one process that uses the spool
//! DIR/reserve                      zeros, given up when the disk is full, so that what must be written can be
//! DIR/TABLE/                       a log: `audit_logs` or `schema.audit_logs`, an upper-case letter as `-` and the lower,
//!                                  `lock-` and `reserve-` for the tables of these names
//! DIR/TABLE/00000000000100000000.log   a segment, named by the first sequence number that it may hold, 20 digits
//! DIR/TABLE/new                    a segment that is being made; it gets its name when it is whole and synced
//! DIR/TABLE/cursor                 all below this sequence number is in PostgreSQL, or a dead letter
//! DIR/TABLE/dead/….log             segments of dead letters
//! DIR/TABLE/damaged/BASE-OFFSET    bytes of a segment that could not be read, kept aside
//! DIR/TABLE/damaged/dead-….log     a segment of dead letters in which something was damaged, when they were driven again
//!
//! segment: header, frames
//! header, 32 bytes:  0 "TVSPOOL\0" · 8 u16 version (1) · 10 u16 zero · 12 u32 CRC-32C of the 28 other bytes ·
//!                    16 u64 base, as in the name · 24 i64 when it was made, microseconds since 1970
//! frame, 28 bytes and the payload:
//!     0 u32 length of what follows the checksum (20 + payload) · 4 u32 CRC-32C of the length and of what follows ·
//!     8 u64 sequence · 16 i64 when it was accepted (a dead letter: refused), microseconds since 1970 ·
//!     24 u8 kind (1: record, 2: dead letter) · 25 u8 flags (1: may be in the table already; 2: kept for "encrypted") ·
//!     26 u16 zero · 28 payload
//! payload of a record:      the row as in PostgreSQL's binary COPY: u16 count (13, big-endian), then each field
//! payload of a dead letter: 5 bytes SQLSTATE (or zeros) · u16 length · why, UTF-8 · the row
//! cursor: two slots, at 0 and 512, written in turn; the valid one of the higher generation counts:
//!     0 u64 generation · 8 u64 sequence · 16 u32 CRC-32C of these · 20 u32 zero
//! ```
//!
//! - Sequence numbers count from 2^32, and none is above 2^63 - 1, so that there is room before and behind: what a close
//!   leaves in memory (`WhenFull::Spill`) goes before all else, with the numbers right before the first segment's base, and
//!   sets the cursor back to there.
//! - Nothing that was written is ever changed; a segment is only appended to, by the process that made it, then removed
//!   whole, once a cursor beyond its end is on disk.
//! - A segment ends where the next one's base begins, whatever else stands in it: after a failed write or `fsync` the
//!   frames that were not acknowledged are written anew in another segment, from memory.
//! - A frame that is cut off at the end of the last segment, or ends in zeros there, and zeros, were never acknowledged (or by
//!   `SpoolSync::Os` or `Interval`, before a power failure). Any other frame that cannot be read is damage: it is named,
//!   kept aside, and reading goes on with the next frame that has its checksum and a higher number.

mod appender;
mod cursor;
mod dead;
mod ending;
mod face;
mod feed;
mod folder;
mod frame;
#[cfg(test)]
mod hostile;
mod inspect;
mod keeper;
mod log;
#[cfg(test)]
mod old;
mod reader;
mod recovery;
mod redrive;
mod room;
#[cfg(test)]
mod sample;
mod scan;
mod segment;
mod spooling;
mod stats;
mod stream;
#[cfg(test)]
mod tests;
mod window;
mod writer;

pub(crate) use self::{
    appender::Unkept,
    room::Room,
    spooling::Spooling,
    stream::{Refused, Stream},
};
pub use self::{
    dead::DeadLetter,
    face::Spool,
    inspect::{Check, Listing, check, dead_letters, list},
    recovery::{Damage, Recovery},
    stats::SpoolStats,
};
