//! What the targets share: a root without a database, and a second opinion of what is accepted and what becomes of it,
//! written without the library's own code.

pub mod door;
pub mod expected;
pub mod leak;
pub mod members;
pub mod number;
pub mod tree;
