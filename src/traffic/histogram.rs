//! Durations by slots: eight an octave, from 1 us on, so that what is read from a slot's middle is within 4.5 % of what was
//! measured.

/// The slot of a row. The same expression fills the rollups and reads the rows that are not in them yet.
pub(super) const SLOT: &str = "floor(ln(greatest(duration_us, 1)::float8) * 11.541560327111707)::smallint";

pub(super) const PER_OCTAVE: f64 = 8.0;

/// How many requests took how long.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    /// By slot.
    counts: Vec<i64>,
}

impl Histogram {
    /// Adds slots with their counts, as a rollup has them.
    pub(super) fn add(&mut self, slots: &[i16], counts: &[i64]) {
        for (slot, count) in slots.iter().zip(counts) {
            // No duration has a slot below 0.
            let Ok(slot) = usize::try_from(*slot) else { continue };
            if slot >= self.counts.len() {
                self.counts.resize(slot + 1, 0);
            }
            self.counts[slot] = self.counts[slot].saturating_add(*count);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum = sum.saturating_add(*count));
    }

    /// The slots that have any, in ascending order, with their counts.
    pub(super) fn slots(&self) -> impl Iterator<Item = (i16, i64)> {
        (0..).zip(&self.counts).filter(|(_, count)| **count > 0).map(|(slot, count)| (slot, *count))
    }

    /// The duration that this share of the requests did not exceed, in milliseconds; none of nothing.
    pub(super) fn quantile(&self, share: f64, max_us: i64) -> Option<f64> {
        let total: i64 = self.slots().map(|(_, count)| count).sum();
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let rank = (share * total as f64).max(1.0);
        let mut seen = 0;
        for (slot, count) in self.slots() {
            seen += count;
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            if seen as f64 >= rank {
                let middle = ((f64::from(slot) + 0.5) / PER_OCTAVE).exp2();
                // Nothing was slower than the slowest.
                return Some(middle.min(max_us as f64) / 1_000.0);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_within_the_bound() {
        for us in [1_i64, 2, 7, 64, 100, 999, 12_345, 1_000_000, 99_999_999, 1 << 50] {
            let mut histogram = Histogram::default();
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small numbers")]
            let slot = ((us as f64).log2() * PER_OCTAVE + 1e-9).floor() as i16;
            histogram.add(&[slot], &[7]);
            let read = histogram.quantile(0.95, i64::MAX).unwrap() * 1_000.0;
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let ratio = read / us as f64;
            assert!((0.955..=1.045).contains(&ratio), "{us}: {read}");
        }
        assert_eq!(Histogram::default().quantile(0.5, 9), None);
    }

    #[test]
    fn a_quantile_takes_the_rank_that_percentile_disc_takes() {
        let mut histogram = Histogram::default();
        histogram.add(&[80, 120], &[90, 5]);
        histogram.add(&[80], &[5]);
        let (at_95, above) =
            (histogram.quantile(0.95, i64::MAX).unwrap(), histogram.quantile(0.951, i64::MAX).unwrap());
        assert!(at_95 < 2.0 && above > 30.0, "{at_95} {above}");
    }
    #[test]
    fn what_is_added_and_merged_is_summed_up_by_slot() {
        let mut histogram = Histogram::default();
        histogram.add(&[3, 9], &[1, 2]);
        let mut other = Histogram::default();
        other.add(&[9, 700, -1], &[5, 7, 9]);
        histogram.merge(&other);
        assert_eq!(histogram.slots().collect::<Vec<_>>(), [(3, 1), (9, 7), (700, 7)]);
        other.merge(&histogram);
        assert_eq!(other.slots().collect::<Vec<_>>(), [(3, 1), (9, 12), (700, 14)]);
    }
}
