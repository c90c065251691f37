//! The checksum of texts in a row, from those of each: CRC-32 as gzip has it (RFC 1952, 8).
//!
//! What a text's length does to the checksum before it is worked out once and kept with the text. `flate2` works it out each
//! time, which for texts of a few KiB is nearly all that combining takes.

use flate2::Crc;

/// The divisor, lowest power in the highest bit, as all polynomials here.
const POLYNOMIAL: u32 = 0xedb8_8320;
/// The polynomial 1.
const ONE: u32 = 1 << 31;
/// `x^(8 * 2^n)`: what `2^n` bytes do.
const POWERS: [u32; 32] = powers();

/// Of all texts so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checksum {
    crc: u32,
    bytes: u32,
}

/// Of one text among others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summand {
    crc: u32,
    /// Modulo 2^32.
    bytes: u32,
    /// What a checksum is multiplied with when this text follows.
    shift: u32,
}

impl Summand {
    pub(super) fn of(crc: &Crc) -> Self {
        let set = (0..32).filter(|bit| crc.amount() >> bit & 1 == 1);
        let shift = set.fold(ONE, |shift, bit| times(shift, POWERS[bit]));
        Self { crc: crc.sum(), bytes: crc.amount(), shift }
    }
}

impl Checksum {
    /// With one more text behind the others.
    pub(super) fn and(self, next: &Summand) -> Self {
        Self { crc: times(self.crc, next.shift) ^ next.crc, bytes: self.bytes.wrapping_add(next.bytes) }
    }

    /// What a member ends with (RFC 1952, 2.3.1): checksum, and length modulo 2^32.
    pub(super) fn trailer(self) -> [u8; 8] {
        let mut trailer = [0; 8];
        trailer[..4].copy_from_slice(&self.crc.to_le_bytes());
        trailer[4..].copy_from_slice(&self.bytes.to_le_bytes());
        trailer
    }
}

/// The product of two polynomials, modulo the divisor. No branch hangs on a bit: half of them would be guessed wrong.
const fn times(left: u32, mut right: u32) -> u32 {
    let (mut product, mut bit) = (0, 32);
    while bit > 0 {
        bit -= 1;
        product ^= right & 0u32.wrapping_sub(left >> bit & 1);
        right = right >> 1 ^ POLYNOMIAL & 0u32.wrapping_sub(right & 1);
    }
    product
}

const fn powers() -> [u32; 32] {
    // A byte is eight bits: x^8.
    let mut powers = [ONE >> 8; 32];
    let mut power = 1;
    while power < 32 {
        powers[power] = times(powers[power - 1], powers[power - 1]);
        power += 1;
    }
    powers
}

#[cfg(test)]
mod tests {
    use flate2::Crc;
    use proptest::prelude::*;

    use super::{Checksum, Summand};

    fn crc(text: &[u8]) -> Crc {
        let mut crc = Crc::new();
        crc.update(text);
        crc
    }

    proptest! {
        #[test]
        fn of_texts_in_a_row_it_is_that_of_all_of_them(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..6)) {
            let sum = texts.iter().fold(Checksum::default(), |sum, text| sum.and(&Summand::of(&crc(text))));
            let all = crc(&texts.concat());
            prop_assert_eq!(&sum.trailer()[..], [all.sum().to_le_bytes(), all.amount().to_le_bytes()].concat());
        }
    }
}
