//! Version 7 ids (RFC 9562, section 5.7, and 6.2, "Monotonic Random"): 48 bits of Unix milliseconds, then 74 random bits
//! that grow by a random step within one millisecond.

use uuid::Uuid;

/// The random bits of an id: 12 of them stand before the variant, 62 behind it.
const TAIL_BITS: u32 = 74;
const LOW_BITS: u32 = 62;

/// Makes ids that sort in the order of their making, also while the clock stands or goes back.
#[derive(Default)]
pub(crate) struct Ids {
    /// The milliseconds and the random bits of the last id.
    last: Option<(u64, u128)>,
    random: Random,
}

impl Ids {
    /// The next id, `now` being Unix milliseconds.
    pub(crate) fn next(&mut self, now: u64) -> Uuid {
        let (millis, tail) = match self.last {
            Some((last, tail)) if last >= now => match tail + 1 + u128::from(u32::from_le_bytes(self.random.take(now)))
            {
                grown if grown >> TAIL_BITS == 0 => (last, grown),
                // Thousands of milliards of ids in one millisecond: on to the next.
                _ => (last + 1, self.tail(now)),
            },
            _ => (now, self.tail(now)),
        };
        self.last = Some((millis, tail));
        let (high, low) = (tail >> LOW_BITS, tail & ((1 << LOW_BITS) - 1));
        Uuid::from_u128(u128::from(millis) << 80 | 7 << 76 | high << 64 | 0b10 << LOW_BITS | low)
    }

    /// New random bits, the highest clear: that is room to grow.
    fn tail(&mut self, now: u64) -> u128 {
        u128::from_le_bytes(self.random.take(now)) >> (u128::BITS - TAIL_BITS + 1)
    }
}

/// Random bytes of the system, some kept at hand: asking for them costs a third of a microsecond each time.
struct Random {
    bytes: [u8; Self::SIZE],
    left: usize,
    /// Unix milliseconds.
    drawn_at: u64,
}

impl Random {
    const SIZE: usize = 256;
    /// In milliseconds. What is kept longer might be the same in two copies of a machine, woken from one snapshot.
    const KEPT: u64 = 1_000;

    fn take<const N: usize>(&mut self, now: u64) -> [u8; N] {
        if self.left < N || now.abs_diff(self.drawn_at) > Self::KEPT {
            self.draw(now);
        }
        self.left -= N;
        std::array::from_fn(|at| self.bytes[self.left + at])
    }

    #[cold]
    fn draw(&mut self, now: u64) {
        self.left = Self::SIZE;
        self.drawn_at = now;
        if getrandom::fill(&mut self.bytes).is_err() {
            // `uuid` asks once more, and panics: there is no id without.
            self.left = size_of::<Uuid>();
            self.bytes[..self.left].copy_from_slice(Uuid::new_v4().as_bytes());
        }
    }
}

impl Default for Random {
    fn default() -> Self {
        Self { bytes: [0; Self::SIZE], left: 0, drawn_at: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_and_grow_with_the_clock_and_without() {
        let mut ids = Ids::default();
        let clock = [0, 0, 5, 5, 4, 0, 7, 1_000_000, 1_000_000, 6, (1 << 48) - 1, (1 << 48) - 1];
        let made: Vec<_> = clock.into_iter().map(|now| ids.next(now)).collect();
        assert!(made.is_sorted_by(|one, next| one < next));
        for (id, newest) in made.iter().zip([0, 0, 5, 5, 5, 5, 7, 1_000_000, 1_000_000, 1_000_000]) {
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
            assert_eq!(id.as_u128() >> 80, newest);
        }
    }

    #[test]
    fn a_millisecond_that_is_full_is_followed_by_the_next() {
        let mut ids = Ids { last: Some((9, (1 << TAIL_BITS) - 1)), ..Ids::default() };
        let full = Uuid::from_u128(9 << 80 | 7 << 76 | 0xfff << 64 | 0b10 << 62 | ((1 << LOW_BITS) - 1));
        let next = ids.next(9);
        assert!(next > full && next.as_u128() >> 80 == 10);
        assert!(ids.next(9) > next);
    }

    #[test]
    fn two_makers_never_agree_and_every_random_bit_is_used() {
        let (mut one, mut other) = (Ids::default(), Ids::default());
        let mut seen = std::collections::HashSet::new();
        let (mut ones, mut zeros) = (0_u128, 0_u128);
        for now in 0..5_000 {
            for id in [one.next(now), other.next(now), one.next(now), other.next(now)] {
                assert!(seen.insert(id));
                ones |= id.as_u128();
                zeros |= !id.as_u128();
            }
        }
        let random = (0xfff << 64) | ((1 << LOW_BITS) - 1);
        let clear_at_first = 1 << 75;
        assert_eq!((ones & zeros) & random, random & !clear_at_first);
    }

    #[test]
    fn random_bytes_are_drawn_anew_when_they_are_used_up_or_old() {
        let mut random = Random::default();
        let first: [u8; 16] = random.take(5);
        assert_eq!((random.left, random.drawn_at), (Random::SIZE - 16, 5));
        for now in [1_005, 1_006, 0] {
            assert_ne!(first, random.take::<16>(now));
        }
        assert_eq!((random.left, random.drawn_at), (Random::SIZE - 16, 0));
        for _ in 0..Random::SIZE / 16 {
            random.take::<16>(0);
        }
        assert_eq!(random.left, Random::SIZE - 16);
    }
}
