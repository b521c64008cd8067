//! How long a writer waits before it tries again.

use std::time::Duration;

use uuid::Uuid;

/// The longest pause: how long after its return a database may stand idle.
const LONGEST: Duration = Duration::from_secs(2);
const FIRST: Duration = Duration::from_millis(25);

/// Full jitter (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>): each pause is anywhere
/// between nothing and a bound that doubles, so that the writers of many processes do not come back together.
#[derive(Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(super) fn pause(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures += 1;
        // The last bytes of a version 4 id are random.
        let [.., one, two] = Uuid::new_v4().into_bytes();
        bound.mul_f64(f64::from(u16::from_ne_bytes([one, two])) / f64::from(u16::MAX))
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_differ() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..200).map(|_| backoff.pause()).collect();
        assert!(pauses[0] <= FIRST && pauses[1] <= FIRST * 2);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
        assert!(
            pauses.iter().any(|pause| *pause > LONGEST / 2) && pauses[20..].iter().any(|pause| *pause < LONGEST / 2)
        );
        backoff.reset();
        assert!(backoff.pause() <= FIRST);
    }
}
