//! Checksum of consecutive texts, from that of each: CRC-32 as in gzip (RFC 1952, 8).
//!
//! The effect of a text's length on the checksum before it is computed once and kept with the text:
//! for texts of a few KiB that is nearly all the work of combining.

use flate2::Crc;
use zlib_rs::crc32::{crc32_combine_gen, crc32_combine_op};

/// Checksum of all texts so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checksum {
    crc: u32,
    bytes: u32,
}

/// Checksum of one text among others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summand {
    crc: u32,
    /// Modulo 2^32.
    bytes: u32,
    /// Effect of this text's length on the checksum of those before it.
    shift: u32,
}

impl Summand {
    pub(super) fn of(crc: &Crc) -> Self {
        Self { crc: crc.sum(), bytes: crc.amount(), shift: crc32_combine_gen(crc.amount().into()) }
    }
}

impl Checksum {
    /// Adds one more text after the others.
    pub(super) fn and(self, next: &Summand) -> Self {
        Self {
            crc: crc32_combine_op(self.crc, next.crc, next.shift),
            bytes: self.bytes.wrapping_add(next.bytes),
        }
    }

    /// Trailer of a member (RFC 1952, 2.3.1): checksum, and length modulo 2^32.
    pub(super) fn trailer(self) -> [u8; 8] {
        let mut trailer = [0; 8];
        trailer[..4].copy_from_slice(&self.crc.to_le_bytes());
        trailer[4..].copy_from_slice(&self.bytes.to_le_bytes());
        trailer
    }
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
