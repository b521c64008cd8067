//! The dashboard: traffic and audit events on pages and by a REST API, as a router to mount in an app.
//!
//! The way of a question: a request passes the door (`guard`: host, credentials, headers of the answer), its URL is
//! parsed once (`Ask`), [`Traffic`](crate::traffic::Traffic) or [`Query`](crate::query::Query) answers with a struct, and
//! the struct is shown: by `api` as JSON, by `pages` and `audit` as HTML that works without a script. Scripts only refresh
//! what a page shows, from its own URL, and draw its charts.
//!
//! Nothing is loaded from anywhere else, and nothing is sent anywhere.

mod access;
mod api;
mod ask;
mod assets;
mod audit;
mod base;
mod builder;
mod guard;
mod hosts;
mod live;
mod pages;
mod problem;
mod shell;
mod site;
mod visit;

pub use self::{
    access::{Access, Viewer},
    builder::DashboardBuilder,
    live::{LiveBus, LiveMode},
};
