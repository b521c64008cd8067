//! What traffic needs of a request's head beside what the capture reads of it.

use http::{HeaderMap, HeaderValue, Uri, header::USER_AGENT, request::Parts};

use super::options::{Options, resolved};
use crate::{
    http::original_uri,
    traffic::{modes::PrivacySignals, rules::UserDetails, stats::Counts},
};

/// As the request had it: its modes mask and cut it, once it is known whether it is kept.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) uri: Uri,
    pub(super) user_agent: Option<HeaderValue>,
    pub(super) user: UserDetails,
    /// The request is nobody's, whatever else is known of it.
    pub(super) is_private: bool,
}

impl Head {
    pub(super) fn of(parts: &Parts, options: &Options, keeps_agent: bool, counts: &Counts) -> Self {
        if is_private(options.privacy_signals, &parts.headers) {
            let uri = original_uri(parts).clone();
            return Self { uri, user_agent: None, user: UserDetails::default(), is_private: true };
        }
        let mut user = resolved(options.user_details.as_ref(), parts, counts).unwrap_or_default();
        if user.id.is_none() {
            user.id = resolved(options.user_id.as_ref(), parts, counts);
        }
        let user_agent = if keeps_agent { parts.headers.get(USER_AGENT).cloned() } else { None };
        Self { uri: original_uri(parts).clone(), user_agent, user, is_private: false }
    }
}

fn is_private(signals: PrivacySignals, headers: &HeaderMap) -> bool {
    let says = |name| headers.get(name).is_some_and(|value| value == "1");
    match signals {
        PrivacySignals::Ignored => false,
        PrivacySignals::Gpc => says("sec-gpc"),
        PrivacySignals::GpcOrDnt => says("sec-gpc") || says("dnt"),
    }
}
