//! Questions and their answers. Every answer serialises to the JSON of the dashboard's API: keys in camelCase, times in
//! RFC 3339, durations in milliseconds.

mod errors;
mod filter;
mod live;
mod overview;
mod page;
mod range;
mod route;
mod routes;
mod series;
mod spark;
mod sql;
mod user;
mod users;

pub use self::{
    errors::{ErrorClasses, ErrorGroup, Errors, ErrorsQuery},
    filter::RequestFilter,
    live::{Live, LiveQuery, LiveRow, RequestDetail},
    overview::{Overview, OverviewQuery, Previous, StatusCount},
    range::{Range, RangeShown},
    route::{DurationSlot, RouteBucket, RouteDetail},
    routes::{RouteRow, RouteSort, Routes, RoutesQuery},
    series::TimelineBucket,
    user::{Device, IpAddress, Session, UserDetail, UserErrorRoute, UserHead, UserRoute},
    users::{UserRow, UserSort, Users, UsersQuery},
};
