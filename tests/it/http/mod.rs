//! The HTTP capture.

mod rules;
