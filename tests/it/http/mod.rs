//! The HTTP capture.
