//! The dashboard: its door, its API and its pages, beside plain SQL.

mod door;
mod kit;
mod pages;
