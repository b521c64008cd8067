//! The HTTP capture: each exchange once, however it ends.

mod bodies;
#[cfg(feature = "axum")]
mod clients;
#[cfg(feature = "axum")]
mod closed;
#[cfg(feature = "axum")]
mod crowd;
mod endings;
#[cfg(feature = "axum")]
mod flood;
mod grpc;
#[cfg(feature = "axum")]
mod handle;
#[cfg(feature = "axum")]
mod hostile;
mod idle;
#[cfg(feature = "axum")]
mod routing;
mod rules;
#[cfg(feature = "axum")]
mod sockets;
mod stand;
