//! Keeps the rollups true. Each step is one transaction that takes marks away and recomputes what they marked, so that
//! it may end at any point; who comes next finds the marks that are left.

mod forget;
mod pass;
mod retention;
mod sql;
mod task;

pub(super) use self::{
    forget::forget,
    pass::{Roller, make_days, rebuild},
    sql::{ROUTE, TOTALS, USER},
    task::run,
};
pub use self::{pass::Pass, retention::Retention};
