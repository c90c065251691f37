//! Pseudo-random numbers as a function of the seed; each can be computed without the ones before
//! it.

/// A point in the tree of numbers that grows from the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noise(u64);

impl Noise {
    /// The root of the tree of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(finalize(seed ^ 0x5851_F42D_4C95_7F2D))
    }

    /// A root for a word; the same word always has the same root.
    pub(crate) fn of_word(word: &str) -> Self {
        word.bytes().fold(Self::new(word.len() as u64), |noise, byte| noise.with(u64::from(byte)))
    }

    /// The branch with a number.
    pub(crate) fn with(self, branch: u64) -> Self {
        Self(finalize(
            self.0 ^ branch.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x2545_F491_4F6C_DD1D),
        ))
    }

    /// 64 bits.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// A number from 0 to below 1.
    pub(crate) fn unit(self) -> f64 {
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(self, low: u64, high: u64) -> u64 {
        low + self.0 % (high - low + 1)
    }

    /// One of several.
    pub(crate) fn pick<T: Copy, const N: usize>(self, choices: [T; N]) -> T {
        choices[(self.0 % N as u64) as usize]
    }
}

/// The last step of splitmix64.
fn finalize(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_differ_and_numbers_stay_in_their_range() {
        let root = Noise::new(1);
        assert_ne!(root.with(1), root.with(2));
        assert_ne!(root.with(1), Noise::new(2).with(1));
        for branch in 0..1000 {
            let noise = root.with(branch);
            assert!((0.0..1.0).contains(&noise.unit()));
            assert!((3..=5).contains(&noise.between(3, 5)));
        }
    }
}
