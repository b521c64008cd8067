//! HTTP capture: every exchange becomes one audit event, however it ends.

mod exchange;
mod hash;
mod kind;
mod matcher;
mod request_id;
mod sink;

pub use self::{
    exchange::{CapturedError, Ending, Exchange, Party},
    hash::{BodyHash, HmacKey},
    kind::Kind,
    matcher::Matcher,
    request_id::RequestId,
    sink::{Admission, Busy, Commit, Sink},
};
