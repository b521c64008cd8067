//! The dashboard: its door, its API and its pages, beside plain SQL.

mod audit;
mod door;
mod kit;
