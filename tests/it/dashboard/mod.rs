//! The dashboard: its door, its API and its pages, beside plain SQL.

mod api;
mod audit;
mod door;
mod kit;
mod live;
mod pages;
