//! The filters as flags.

use clap::ValueEnum;
use tracevault::{Mode, time::OffsetDateTime};

use crate::moment;

#[derive(clap::Args)]
#[command(next_help_heading = "Filters")]
#[group(id = "Narrow", multiple = true)]
pub(super) struct Narrow {
    /// Events of this name
    #[arg(long)]
    pub(super) event: Option<String>,
    /// By this actor
    #[arg(long, value_name = "ID")]
    pub(super) actor_id: Option<String>,
    /// By actors of this type
    #[arg(long, value_name = "TYPE")]
    pub(super) actor_type: Option<String>,
    /// On this target
    #[arg(long, value_name = "ID")]
    pub(super) target_id: Option<String>,
    /// On targets of this type
    #[arg(long, value_name = "TYPE")]
    pub(super) target_type: Option<String>,
    /// With this correlation id
    #[arg(long, value_name = "ID")]
    pub(super) correlation_id: Option<String>,
    /// Of this request
    #[arg(long, value_name = "ID")]
    pub(super) request_id: Option<String>,
    /// Of this environment
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Option<String>,
    /// With this `data.outcome`
    #[arg(long)]
    pub(super) outcome: Option<String>,
    /// With this `data.error.code`
    #[arg(long, value_name = "CODE")]
    pub(super) error_code: Option<String>,
    /// With this `data.severity`; given more than once: with any of them
    #[arg(long = "severity", value_name = "SEVERITY")]
    pub(super) severities: Vec<String>,
    /// What failed: outcome failure, or severity error, critical or fatal
    #[arg(long)]
    pub(super) errors_only: bool,
    /// Emitted in this mode
    #[arg(long, value_enum)]
    pub(super) mode: Option<ModeName>,
    /// That occurred then or later: RFC 3339, or a time ago (30m, 24h, 7d)
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub(super) from: Option<OffsetDateTime>,
    /// That occurred then or earlier
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub(super) to: Option<OffsetDateTime>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ModeName {
    Sync,
    Async,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Sync => Self::Sync,
            ModeName::Async => Self::Async,
        }
    }
}

/// The same conditions on filters of either kind.
macro_rules! narrowed {
    ($narrow:expr, $filters:expr) => {{
        let Narrow {
            event,
            actor_id,
            actor_type,
            target_id,
            target_type,
            correlation_id,
            request_id,
            environment,
            outcome,
            error_code,
            severities,
            errors_only,
            mode,
            from,
            to,
        } = $narrow;
        let mode = mode.map(tracevault::Mode::from);
        let mut filters = $filters;
        narrowed!(@given filters: event actor_id actor_type target_id target_type correlation_id request_id);
        narrowed!(@given filters: environment outcome error_code mode from to);
        if let [severity] = severities.as_slice() {
            filters = filters.severity(severity);
        } else if !severities.is_empty() {
            filters = filters.severities(severities);
        }
        if errors_only {
            filters = filters.errors_only();
        }
        filters
    }};
    (@given $filters:ident: $($name:ident)*) => {$(
        if let Some(value) = $name {
            $filters = $filters.$name(value);
        }
    )*};
}

pub(super) use narrowed;
