//! What all handlers share.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use super::{
    access::Auth,
    audit::Audit,
    hosts::Hosts,
    live::{Hub, LiveMode},
    problem::Problem,
};
use crate::traffic::Traffic;

#[derive(Debug)]
pub(super) struct Site {
    pub(super) traffic: Traffic,
    /// None: there is no audit explorer.
    pub(super) audit: Option<Audit>,
    pub(super) auth: Auth,
    pub(super) hosts: Hosts,
    /// What the app says that links begin with, in place of where the router was nested.
    pub(super) mount_path: Option<String>,
    pub(super) live_mode: LiveMode,
    pub(super) hub: Hub,
    pub(super) poll_interval: Duration,
}

impl Site {
    pub(super) fn unauthorized(&self) -> Response {
        let mut response = Problem::unauthorized().into_response();
        if let Auth::Basic { .. } = self.auth {
            let challenge = HeaderValue::from_static("Basic realm=\"tracevault\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
