//! What the quickstart tells: the same on every database, down to one that takes a single connection.

mod chapters;
mod doors;
mod interruption;
mod lament;
mod masking;
mod reading;
mod refusal;
mod tables;
mod tell;
mod transaction;

pub(crate) use self::{interruption::interruption, lament::lament, tell::tell};

pub(crate) type Told<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
