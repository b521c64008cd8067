//! Payloads: any `Serialize` value to checked, masked JSON text, in one walk.
//!
//! - [`Payload`] is the one door: a value behind an object-safe trait, written when the scope's masks are known.
//! - `walk`: what is true of every piece that is written: depth, size, masks, text without NUL.
//! - `ser`: serde's data model onto the walk. `compound`: its sequences, maps and structs. `key`: what may be a key. `text`: JSON that comes as text.
//! - `escape`: text inside a JSON string.
//! - `fault`: what was wrong, and the path to it.

mod compound;
mod escape;
mod fault;
mod key;
mod ser;
mod text;
mod walk;

use serde::Serialize;

pub(crate) use self::{
    escape::is_plain,
    fault::{Fault, Reason},
    text::{Entries, same},
    walk::{Rules, Walk},
};

/// A value that can be written as JSON once the masks are known.
pub(crate) trait Payload: Send + Sync {
    /// Appends the value to `out`, checked and masked.
    fn write(&self, out: Vec<u8>, rules: Rules<'_>) -> Result<Vec<u8>, Fault>;
}

impl<T: Serialize + Send + Sync + ?Sized> Payload for T {
    fn write(&self, out: Vec<u8>, rules: Rules<'_>) -> Result<Vec<u8>, Fault> {
        let mut walk = Walk::new(out, rules);
        self.serialize(&mut walk)?;
        walk.finish()
    }
}
