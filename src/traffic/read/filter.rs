//! Which requests of a list are meant.

use std::fmt::Write as _;

use tokio_postgres::types::Type;

use super::super::{quiet::Quiet, snapshot::Param};
use crate::error::{Error, ValidationError};

/// Conditions on single requests; all of them must hold.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RequestFilter {
    /// This method.
    pub method: Option<String>,
    /// This route, as the lists of routes spell it.
    pub route: Option<String>,
    /// A status code from here.
    pub status_from: Option<u16>,
    /// A status code up to here, included.
    pub status_to: Option<u16>,
    /// This user.
    pub user_id: Option<String>,
    /// Only slow ones, or only quick ones.
    pub slow: Option<bool>,
}

impl RequestFilter {
    /// Without any condition.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of this method.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Of this route.
    #[must_use]
    pub fn route(mut self, route: impl Into<String>) -> Self {
        self.route = Some(route.into());
        self
    }

    /// By a status (`404`) or a class of them (`5xx`).
    ///
    /// # Errors
    /// `Validation` when it is neither.
    pub fn status(mut self, status: &str) -> Result<Self, Error> {
        let wrong = || ValidationError::new("status", "must be a status from 100 to 999, or a class such as `5xx`");
        let (from, to) = if let [class @ b'1'..=b'9', b'x' | b'X', b'x' | b'X'] = status.as_bytes() {
            let class = u16::from(class - b'0') * 100;
            (class, class + 99)
        } else {
            let code = status.parse().ok().filter(|code| (100..=999).contains(code)).ok_or_else(wrong)?;
            (code, code)
        };
        (self.status_from, self.status_to) = (Some(from), Some(to));
        Ok(self)
    }

    /// Of this user.
    #[must_use]
    pub fn user_id(mut self, user_id: impl Into<String>) -> Self {
        self.user_id = Some(user_id.into());
        self
    }

    /// Only slow ones, or only quick ones.
    #[must_use]
    pub fn slow(mut self, slow: bool) -> Self {
        self.slow = Some(slow);
        self
    }

    /// Whether a stored request is meant, but for its route: what lists call that is not in the row.
    #[cfg(feature = "dashboard")]
    pub(crate) fn meets(&self, row: &super::live::LiveRow) -> bool {
        let status = u16::try_from(row.status_code).unwrap_or_default();
        self.method.as_ref().is_none_or(|method| *method == row.method)
            && self.status_from.is_none_or(|from| status >= from)
            && self.status_to.is_none_or(|to| status <= to)
            && self.user_id.as_ref().is_none_or(|user| Some(user) == row.user_id.as_ref())
            && self.slow.is_none_or(|slow| slow == row.is_slow)
    }

    pub(super) fn bound(&self) -> Bound {
        let code = |code: Option<u16>, usual| code.map_or(usual, |code| i16::try_from(code).unwrap_or(i16::MAX));
        Bound {
            method: Quiet(self.method.clone()),
            route: Quiet(self.route.clone()),
            user_id: Quiet(self.user_id.clone()),
            slow: Quiet(self.slow),
            from: code(self.status_from, i16::MIN),
            to: code(self.status_to, i16::MAX),
        }
    }
}

/// The same, ready for a statement.
pub(super) struct Bound {
    method: Quiet<Option<String>>,
    route: Quiet<Option<String>>,
    user_id: Quiet<Option<String>>,
    slow: Quiet<Option<bool>>,
    from: i16,
    to: i16,
}

impl Bound {
    /// Conditions on rows, by the parameters from `$1` on.
    pub(super) fn sql(&self) -> String {
        let mut sql = "true".to_owned();
        for (given, condition) in [
            (self.method.0.is_some(), "method = $1"),
            (self.route.0.is_some(), "coalesce(rollup_route, route) = $2"),
            (self.user_id.0.is_some(), "user_id = $3"),
            (self.slow.0.is_some(), "is_slow = $4"),
        ] {
            if given {
                sql.push_str(" AND ");
                sql.push_str(condition);
            }
        }
        if self.from > i16::MIN {
            // The index of errors is found by a constant.
            // Writing to a String cannot fail.
            let _ = write!(sql, " AND status_code >= {} AND status_code <= {}", self.from, self.to);
            if self.from >= 400 {
                sql.push_str(" AND status_code >= 400");
            }
        }
        sql
    }

    pub(super) fn params(&self) -> Vec<Param<'_>> {
        vec![
            (&self.method, Type::TEXT),
            (&self.route, Type::TEXT),
            (&self.user_id, Type::TEXT),
            (&self.slow, Type::BOOL),
        ]
    }
}
