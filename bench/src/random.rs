//! Seeded random numbers (SplitMix64): the same seed gives the same run. Never: used for a secret.

/// A stream of numbers in which no value comes twice within 2^64 draws.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed);
        // Neighbouring seeds would otherwise begin with neighbouring states.
        random.0 = random.next_u64();
        random
    }

    /// A seed that differs from run to run.
    #[must_use]
    pub fn seed_from_time() -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        since.as_secs() ^ (u64::from(since.subsec_nanos()) << 32) ^ u64::from(std::process::id())
    }

    /// A stream of its own for part `part` of a run.
    #[must_use]
    pub fn fork(&self, part: u64) -> Self {
        Self::new(self.0 ^ part.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        scale(self.next_u64() >> 32, end)
    }

    /// A number below `end` where low ones come more often, as a few actors do most of the work: a hundredth of the numbers
    /// makes a tenth of the draws.
    pub fn skewed(&mut self, end: u64) -> u64 {
        let even = self.next_u64() >> 32;
        scale((even * even) >> 32, end)
    }

    /// Whether something that happens in `percent` of cases happens now.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let at = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        &choices[at]
    }
}

/// `part` of 2^32 of `end`, for `end` below 2^32.
fn scale(part: u64, end: u64) -> u64 {
    (part * end) >> 32
}
