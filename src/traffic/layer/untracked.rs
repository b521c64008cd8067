//! What is not to be counted.

/// Marks an exchange as the dashboard's own, which is not counted unless
/// [`track_dashboard`](crate::traffic::TrafficBuilder::track_dashboard) says so. Said by
/// [`RequestAudit::keep`](crate::http::RequestAudit::keep) it holds however the exchange ends; as an extension of the
/// answer, for every exchange that has one.
///
/// ```
/// use tracevault::{http::RequestAudit, traffic::Untracked};
///
/// async fn poll(audit: RequestAudit) -> &'static str {
///     audit.keep(Untracked);
///     "nothing new"
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Untracked;
