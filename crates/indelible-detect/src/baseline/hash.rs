//! 64-bit keys of names: the same on every machine and in every version that reads the same snapshot.
//!
//! Not for secrets. Whoever may choose names freely could look for two that share a key; these two would be taken for one, in a
//! baseline and nowhere else.

/// A key as it grows, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(pub(super) u64);

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Key {
    /// The beginning of keys of one kind of thing.
    pub(super) const fn of(kind: u64) -> Self {
        Self(kind.wrapping_add(1).wrapping_mul(ODD))
    }

    /// With a text. Parts cannot run into each other: each ends with its length.
    pub(super) fn text(self, text: &str) -> Self {
        let mut state = self.0;
        let (words, rest) = text.as_bytes().as_chunks::<8>();
        for word in words {
            state = fold(state ^ u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        state = fold(state ^ u64::from_le_bytes(last));
        Self(state).number(text.len() as u64)
    }

    /// With a number.
    pub(super) fn number(self, number: u64) -> Self {
        Self(fold(self.0 ^ number))
    }

    /// 16 bits of it, never 0, which stands for an empty place.
    pub(super) fn print(self) -> u16 {
        let [low, high, ..] = self.0.to_le_bytes();
        u16::from_le_bytes([low, high]).max(1)
    }

    /// Whether the draw that this key makes is below one in `n`.
    pub(super) fn one_in(self, n: u64) -> bool {
        (self.0 >> 16).is_multiple_of(n)
    }

    /// A number from 0 to below 1.
    pub(super) fn part(self) -> f32 {
        let [.., a, b] = self.0.to_le_bytes();
        f32::from(u16::from_le_bytes([a, b])) / 65_536.0
    }
}

/// A step that spreads every bit over all others (the finish of SplitMix64).
fn fold(mut z: u64) -> u64 {
    z = z.wrapping_add(ODD);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_what_they_are_because_snapshots_hold_them() {
        assert_eq!(Key::of(1).text("ana@example.com").0, Key::of(1).text("ana@example.com").0);
        assert_ne!(Key::of(1).text("ab").text("c"), Key::of(1).text("a").text("bc"));
        assert_ne!(Key::of(1).text("a"), Key::of(1).text("a\0"));
        assert_ne!(Key::of(1).text("a"), Key::of(2).text("a"));
    }
}
