//! Correlation ids: one name for everything that one piece of work causes, across services.

use uuid::Uuid;

/// The header that carries a correlation id.
const HEADER: &str = "x-correlation-id";

/// The most characters that a correlation id may have.
pub(crate) const LONGEST: usize = 512;

/// A new correlation id: a random UUID.
///
/// ```
/// assert_eq!(tracevault::random_correlation_id().len(), 36);
/// ```
#[doc(alias = "randomCorrelationId")]
pub fn random_correlation_id() -> String {
    Uuid::new_v4().to_string()
}

/// Reads `x-correlation-id` through the caller's own header lookup. Surrounding blanks are trimmed; what is blank or
/// longer than 512 characters counts as absent.
///
/// ```
/// let headers = std::collections::HashMap::from([("x-correlation-id", " req_abc ")]);
/// let id = tracevault::read_correlation_id_header(|name| headers.get(name).copied());
/// assert_eq!(id.as_deref(), Some("req_abc"));
/// ```
#[doc(alias = "readCorrelationIdHeader")]
pub fn read_correlation_id_header<T: AsRef<str>>(lookup: impl FnOnce(&str) -> Option<T>) -> Option<String> {
    let value = lookup(HEADER)?;
    let id = value.as_ref().trim();
    let usable = !id.is_empty() && !id.contains('\0') && id.chars().nth(LONGEST).is_none();
    usable.then(|| id.to_owned())
}

/// The correlation id that came with the request, else a new one.
///
/// ```
/// let id = tracevault::resolve_correlation_id(|_| None::<&str>);
/// assert_eq!(id.len(), 36);
/// ```
#[doc(alias = "resolveCorrelationId")]
pub fn resolve_correlation_id<T: AsRef<str>>(lookup: impl FnOnce(&str) -> Option<T>) -> String {
    read_correlation_id_header(lookup).unwrap_or_else(random_correlation_id)
}
