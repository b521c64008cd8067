//! Requests by weekday and hour.

use super::{cell::Cell, figures, panel::Panel};
use crate::dashboard::shell::Shell;

/// A field of 7 by 24.
#[derive(Debug)]
pub(super) struct Heat {
    pub(super) squares: Vec<Square>,
    pub(super) table: Panel,
}

/// One hour of one weekday.
#[derive(Debug)]
pub(super) struct Square {
    pub(super) x: usize,
    pub(super) y: usize,
    /// From 0, which is nothing, to 5.
    pub(super) level: i64,
    pub(super) title: String,
}

pub(super) const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl Heat {
    pub(super) fn new(shell: &Shell, cells: &[[i64; 24]; 7]) -> Self {
        let largest = cells.iter().flatten().copied().max().unwrap_or_default();
        let mut squares = Vec::with_capacity(7 * 24);
        let mut rows = Vec::new();
        for (y, (day, hours)) in DAYS.iter().zip(cells).enumerate() {
            for (x, count) in hours.iter().enumerate() {
                let level = if *count > 0 { 1 + (count - 1) * 5 / largest } else { 0 };
                let title = format!("{day} {x:02}:00 UTC: {}", figures::count(*count));
                squares.push(Square { x: 30 + x * 15, y: 16 + y * 15, level, title });
                if *count > 0 {
                    rows.push(vec![Cell::text(*day), Cell::text(format!("{x:02}:00")), Cell::count(*count)]);
                }
            }
        }
        let columns = [("Weekday", ""), ("Hour (UTC)", ""), ("Requests", "num")];
        Self { squares, table: Panel::new(shell, "hours", "Requests by weekday and hour", &columns, rows) }
    }
}
