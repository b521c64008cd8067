//! From a range of time to where it is read from: the largest clean rollups inside of it, and rows for the rest.

use std::collections::HashSet;

use super::span::{Span, push};

/// How large what a rollup sums up is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Minute,
    Hour,
    Day,
}

impl Level {
    /// In microseconds.
    pub(super) fn size(self) -> i64 {
        let seconds = match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        };
        seconds * 1_000_000
    }
}

/// Up to where data was dropped, by microseconds since 1970; all of them are the borders of days.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Horizons {
    pub(super) raw: i64,
    pub(super) minute: i64,
    pub(super) hour: i64,
    pub(super) day: i64,
}

impl Horizons {
    fn of(&self, level: Level) -> i64 {
        match level {
            Level::Minute => self.minute,
            Level::Hour => self.hour,
            Level::Day => self.day,
        }
    }
}

/// What is not, or no longer, in the rollups, by number of the minute, hour or day since 1970.
#[derive(Debug, Default)]
pub(super) struct Marks {
    minutes: HashSet<i64>,
    hours: HashSet<i64>,
    days: HashSet<i64>,
}

impl Marks {
    /// A marked minute marks its hour and its day.
    pub(super) fn add(&mut self, level: i16, at: i64) {
        if level == 0 {
            self.minutes.insert(at.div_euclid(Level::Minute.size()));
        }
        if level <= 1 {
            self.hours.insert(at.div_euclid(Level::Hour.size()));
        }
        self.days.insert(at.div_euclid(Level::Day.size()));
    }

    fn has(&self, level: Level, number: i64) -> bool {
        match level {
            Level::Minute => self.minutes.contains(&number),
            Level::Hour => self.hours.contains(&number),
            Level::Day => self.days.contains(&number),
        }
    }
}

/// Disjoint, ascending, and together the range, but for what was dropped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cover {
    pub(super) days: Vec<Span>,
    pub(super) hours: Vec<Span>,
    pub(super) minutes: Vec<Span>,
    pub(super) raw: Vec<Span>,
}

impl Cover {
    /// `levels` from the largest to the smallest.
    pub(super) fn of(range: Span, levels: &[Level], marks: &Marks, horizons: &Horizons) -> Self {
        let mut cover = Self::default();
        cover.fill(range, levels, marks, horizons);
        cover
    }

    fn fill(&mut self, span: Span, levels: &[Level], marks: &Marks, horizons: &Horizons) {
        let Some((level, smaller)) = levels.split_first() else {
            push(&mut self.raw, Span { from: span.from.max(horizons.raw), to: span.to });
            return;
        };
        let size = level.size();
        // The whole ones inside.
        let first = span.from.div_euclid(size) + i64::from(span.from.rem_euclid(size) != 0);
        let end = span.to.div_euclid(size);
        if first >= end {
            self.fill(span, smaller, marks, horizons);
            return;
        }
        self.fill(Span { from: span.from, to: first * size }, smaller, marks, horizons);
        for number in first..end {
            let unit = Span { from: number * size, to: (number + 1) * size };
            // Before the horizon of rows a rollup is all there is, whatever came late.
            let clean = unit.from < horizons.raw || !marks.has(*level, number);
            if clean && unit.from >= horizons.of(*level) {
                push(self.list(*level), unit);
            } else {
                self.fill(unit, smaller, marks, horizons);
            }
        }
        self.fill(Span { from: end * size, to: span.to }, smaller, marks, horizons);
    }

    fn list(&mut self, level: Level) -> &mut Vec<Span> {
        match level {
            Level::Minute => &mut self.minutes,
            Level::Hour => &mut self.hours,
            Level::Day => &mut self.days,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;

    fn none() -> Horizons {
        Horizons { raw: i64::MIN, minute: i64::MIN, hour: i64::MIN, day: i64::MIN }
    }

    fn span(from: i64, to: i64) -> Span {
        Span { from, to }
    }

    #[test]
    fn the_largest_clean_rollups_come_first_and_rows_fill_the_edges() {
        let mut marks = Marks::default();
        marks.add(1, 2 * DAY + 5 * HOUR);
        let range = span(DAY - HOUR - 7, 4 * DAY + 90 * MINUTE);
        let cover = Cover::of(range, &[Level::Day, Level::Hour], &marks, &none());
        assert_eq!(cover.days, [span(DAY, 2 * DAY), span(3 * DAY, 4 * DAY)]);
        let second = 2 * DAY;
        assert_eq!(
            cover.hours,
            [
                span(DAY - HOUR, DAY),
                span(second, second + 5 * HOUR),
                span(second + 6 * HOUR, 3 * DAY),
                span(4 * DAY, 4 * DAY + HOUR)
            ]
        );
        assert_eq!(
            cover.raw,
            [span(range.from, DAY - HOUR), span(second + 5 * HOUR, second + 6 * HOUR), span(4 * DAY + HOUR, range.to)]
        );
    }

    #[test]
    fn every_moment_is_covered_once() {
        // Without randomness from outside: a small generator of its own.
        let mut state = 7_u64;
        let mut next = |below: i64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33).cast_signed() % below
        };
        for _ in 0..300 {
            let mut marks = Marks::default();
            for _ in 0..next(6) {
                let level = i16::try_from(next(3)).unwrap();
                let size = [MINUTE, HOUR, DAY][usize::try_from(level).unwrap()];
                marks.add(level, (next(3 * DAY) / size) * size);
            }
            let from = next(2 * DAY) - DAY / 2;
            let range = span(from, from + next(2 * DAY) + 1);
            let cover = Cover::of(range, &[Level::Day, Level::Hour, Level::Minute], &marks, &none());
            let mut all = [cover.days, cover.hours, cover.minutes, cover.raw].concat();
            all.sort_by_key(|span| span.from);
            assert_eq!(all.first().unwrap().from, range.from);
            assert_eq!(all.last().unwrap().to, range.to);
            assert!(all.windows(2).all(|two| two[0].to == two[1].from), "{all:?}");
        }
    }

    #[test]
    fn a_marked_minute_spoils_its_hour_and_its_day() {
        let mut marks = Marks::default();
        marks.add(0, 3 * HOUR + 2 * MINUTE);
        let cover = Cover::of(span(0, DAY), &[Level::Day, Level::Hour, Level::Minute], &marks, &none());
        assert!(cover.days.is_empty());
        assert_eq!(cover.hours, [span(0, 3 * HOUR), span(4 * HOUR, DAY)]);
        assert_eq!(cover.raw, [span(3 * HOUR + 2 * MINUTE, 3 * HOUR + 3 * MINUTE)]);
    }

    #[test]
    fn what_was_dropped_is_read_from_what_is_left() {
        let mut marks = Marks::default();
        marks.add(0, 5 * HOUR);
        let horizons = Horizons { raw: 2 * DAY, minute: 2 * DAY, hour: DAY, day: i64::MIN };
        let cover = Cover::of(span(0, 3 * DAY - 1), &[Level::Day, Level::Hour], &marks, &horizons);
        assert_eq!(cover.days, [span(0, 2 * DAY)], "a late row of a dropped day changes nothing");
        assert_eq!(cover.raw, [span(3 * DAY - HOUR, 3 * DAY - 1)]);
    }
}
