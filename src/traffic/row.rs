//! A request, as it is stored.

use time::OffsetDateTime;

/// One request of the traffic table. Made by [`Traffic::record`](super::Traffic::record) by the rules of the builder; `Debug` shows neither
/// user nor address.
#[derive(Clone)]
#[non_exhaustive]
pub struct TrafficRow {
    /// When it came in.
    pub started_at: OffsetDateTime,
    /// When its answer ended.
    pub ended_at: OffsetDateTime,
    /// How long that took, in microseconds.
    pub duration_us: i64,
    /// Whether that is the threshold or more.
    pub is_slow: bool,
    /// Its method.
    pub method: String,
    /// Its route, as [`RouteValue`](super::RouteValue) has it.
    pub route: String,
    /// What the rollups call the route, where that is something else.
    pub rollup_route: Option<String>,
    /// What was asked for, its query as [`QueryMode`](super::QueryMode) has it.
    pub original_url: String,
    /// What was answered; 499 when the client was gone before.
    pub status_code: i16,
    /// Who asked.
    pub user_id: Option<String>,
    /// Who asked, by name.
    pub user_name: Option<String>,
    /// Who asked, by e-mail address.
    pub user_email: Option<String>,
    /// In which session.
    pub session_id: Option<String>,
    /// From where, as [`IpMode`](super::IpMode) has it.
    pub ip: Option<String>,
    /// With what, as [`UaMode`](super::UaMode) has it.
    pub user_agent: Option<String>,
    /// What ties it to audit events.
    pub request_id: Option<String>,
    /// How many requests it stands for.
    pub weight: i32,
}

impl std::fmt::Debug for TrafficRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrafficRow")
            .field("started_at", &self.started_at)
            .field("method", &self.method)
            .field("status_code", &self.status_code)
            .finish_non_exhaustive()
    }
}
