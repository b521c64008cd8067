//! TLS, by rustls with ring. Without the feature `tls` nothing speaks it, and a string that asks for it is refused.

#[cfg(feature = "tls")]
mod files;
#[cfg(feature = "tls")]
mod speaker;
#[cfg(feature = "tls")]
mod verifier;
#[cfg(not(feature = "tls"))]
mod without;

#[cfg(feature = "tls")]
pub(super) use self::speaker::Tls;
#[cfg(not(feature = "tls"))]
pub(super) use self::without::Tls;
