//! From exchanges to rows.

use super::{head::Head, untracked::Untracked};
use crate::{
    Error,
    http::{Exchange, Sink},
    traffic::{
        rules::{Seen, UserDetails},
        traffic::Traffic,
    },
};

/// Records every exchange that is to be counted.
pub(super) struct TrafficSink {
    pub(super) traffic: Traffic,
    pub(super) track_dashboard: bool,
}

impl Sink for TrafficSink {
    /// What becomes of the row is counted by the writer.
    fn capture(&self, mut exchange: Exchange) -> Result<(), Error> {
        if !self.track_dashboard && exchange.kept.get::<Untracked>().is_some() {
            return Ok(());
        }
        let Some(head) = exchange.kept.remove::<Head>() else { return Ok(()) };
        let status = exchange.status_told().unwrap_or_default();
        let said = exchange.kept.remove::<UserDetails>().unwrap_or_default();
        if head.is_private {
            exchange.actor = None;
            exchange.session_id = None;
            exchange.client_ip = None;
        }
        let said = if head.is_private { UserDetails::default() } else { said };
        // The name of one is not that of another.
        let is_another = said.id.is_some() && head.user.id.is_some() && said.id != head.user.id;
        let found = if is_another { UserDetails::default() } else { head.user };
        let user = UserDetails {
            id: said.id.or(found.id).or(exchange.actor.map(|actor| actor.id)),
            name: said.name.or(found.name),
            email: said.email.or(found.email),
        };
        let agent = head.user_agent.as_ref().map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        self.traffic.record(Seen {
            started_at: exchange.started_at,
            duration: exchange.latency,
            method: &exchange.method,
            pattern: exchange.route.as_deref(),
            path: head.uri.path(),
            query: head.uri.query(),
            status,
            user,
            session_id: exchange.session_id.as_deref(),
            ip: exchange.client_ip,
            user_agent: agent.as_deref(),
            request_id: Some(exchange.request_id.as_str()),
        });
        Ok(())
    }
}
