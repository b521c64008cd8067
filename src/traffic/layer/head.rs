//! What traffic needs of a request's head beside what the capture reads of it.

use http::{HeaderValue, Uri, header::USER_AGENT, request::Parts};

use super::options::{Options, resolved};
use crate::{
    http::original_uri,
    traffic::{rules::UserDetails, stats::Counts},
};

/// As the request had it: its modes mask and cut it, once it is known whether it is kept.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) uri: Uri,
    pub(super) user_agent: Option<HeaderValue>,
    pub(super) user: UserDetails,
}

impl Head {
    pub(super) fn of(parts: &Parts, options: &Options, keeps_agent: bool, counts: &Counts) -> Self {
        let mut user = resolved(options.user_details.as_ref(), parts, counts).unwrap_or_default();
        if user.id.is_none() {
            user.id = resolved(options.user_id.as_ref(), parts, counts);
        }
        let user_agent = if keeps_agent { parts.headers.get(USER_AGENT).cloned() } else { None };
        Self { uri: original_uri(parts).clone(), user_agent, user }
    }
}
