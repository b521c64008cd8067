//! What stands in for TLS where it is not compiled in.

use std::convert::Infallible;

use tokio_postgres::NoTls;

use super::super::security::{Security, When};

/// Never there.
#[derive(Clone)]
pub(in super::super) struct Tls(Infallible);

impl Tls {
    /// Nothing, where the string can do without.
    pub(in super::super) fn of(security: &Security) -> Result<Option<Self>, String> {
        if security.when == When::Always {
            return Err("asks for TLS, which is not compiled in: turn the feature `tls` of this crate on".to_owned());
        }
        Ok(None)
    }

    pub(in super::super) fn connector(&self) -> NoTls {
        match self.0 {}
    }
}
