//! Chance that is the same in every run: a demo is to be told of.

/// By the `SplitMix64` of Steele, Lea and Flood.
pub struct Dice(u64);

impl Dice {
    pub fn new() -> Self {
        Self(2026)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below this.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of these.
    pub fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        let at = usize::try_from(self.below(all.len() as u64)).unwrap_or_default();
        &all[at]
    }

    /// One of these, by weight.
    pub fn weighed<'t, T>(&mut self, all: &'t [T], weight: impl Fn(&T) -> u32) -> &'t T {
        let mut left = self.below(all.iter().map(|one| u64::from(weight(one))).sum());
        all.iter()
            .find(|one| {
                let weight = u64::from(weight(one));
                let found = left < weight;
                left = left.saturating_sub(weight);
                found
            })
            .unwrap_or(&all[0])
    }

    /// Around this; now and then far above it.
    pub fn around(&mut self, usual: u64) -> u64 {
        let tail = if self.below(40) == 0 { 6 } else { 1 };
        usual * (40 + self.below(90)) * tail / 100
    }
}
