//! Connections: from a connection string to a pool, and from the pool to one call with a deadline.
//!
//! The writing and the reading side both stand on this. Two rules are kept here: every call ends by its deadline, and
//! a connection whose call did not end is taken out of the pool, since its next borrower would wait behind that call.
//!
//! A connection string is read here, not by the driver, which refuses a whole string for one key of libpq's that it does
//! not know, and quotes parts of it in the refusal. It is taken apart (`text`), checked key by key (`address`,
//! `security`), and opened server by server (`connector`), each with TLS or without (`tls`).

mod address;
mod connections;
mod connector;
mod direct;
mod lease;
pub(crate) mod listener;
mod security;
mod statements;
mod text;
mod tls;

pub(crate) use self::{connections::Connections, lease::Lease};
