//! The capture of HTTP exchanges with the traffic table as its sink.

mod builder;
mod head;
#[expect(clippy::module_inception, reason = "the file is named for what it holds")]
mod layer;
mod options;
mod resolvers;
mod sink;
mod untracked;

pub(super) use self::options::Options;
pub use self::{
    layer::TrafficLayer,
    resolvers::{from_cookie, from_header},
    untracked::Untracked,
};
