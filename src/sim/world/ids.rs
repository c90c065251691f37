//! Ids that look like the cloud's. Those of generated things encode a number, so one thing can be
//! looked up without generating all of them.

use super::noise::Noise;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Numbers are scattered over 60 bits, which fit into 12 digits of base 36 and 15 of base 16.
const MASK: u64 = (1 << 60) - 1;
const SCATTER: u64 = 0x0B4B_82E3_9E37_79B9;
const GATHER: u64 = inverse(SCATTER);

/// The inverse of an odd number modulo a power of two, by Newton's iteration.
const fn inverse(odd: u64) -> u64 {
    let mut guess = odd;
    let mut round = 0;
    while round < 6 {
        guess = guess.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(guess)));
        round += 1;
    }
    guess
}

/// A reversible scrambling of the numbers of one owner's things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbering {
    noise: Noise,
}

impl Numbering {
    /// The scrambling for one owner.
    pub(crate) fn new(noise: Noise) -> Self {
        Self { noise }
    }

    /// An upper-case UUID, like task ids.
    pub(crate) fn uuid(self, number: i64) -> String {
        uuid(self.noise.with(number as u64).bits(), (0xA << 60) | self.scatter(number))
    }

    /// The number in a UUID. A foreign UUID yields an arbitrary number: compare the ids.
    pub(crate) fn number_of_uuid(self, id: &str) -> Option<i64> {
        let digits: String = id.get(19..)?.chars().filter(|&digit| digit != '-').collect();
        Some(self.gather(u64::from_str_radix(&digits, 16).ok()?))
    }

    /// A prefix and twelve letters or digits, like ids of commands and invocations.
    pub(crate) fn word(self, prefix: &str, number: i64) -> String {
        format!("{prefix}{}", base36(self.scatter(number), 12))
    }

    /// The number in such an id. A foreign id yields an arbitrary number: compare the ids.
    pub(crate) fn number_of_word(self, prefix: &str, id: &str) -> Option<i64> {
        let digits = id.strip_prefix(prefix)?;
        Some(self.gather(u64::from_str_radix(digits, 36).ok()?))
    }

    fn scatter(self, number: i64) -> u64 {
        (number as u64).wrapping_add(self.noise.bits()).wrapping_mul(SCATTER) & MASK
    }

    fn gather(self, scattered: u64) -> i64 {
        let number = scattered.wrapping_mul(GATHER).wrapping_sub(self.noise.bits()) & MASK;
        // 60 bits with a sign: things from before the start have negative numbers.
        ((number << 4) as i64) >> 4
    }
}

/// An upper-case UUID.
pub(crate) fn uuid(high: u64, low: u64) -> String {
    let (a, b, c) = (high >> 32, (high >> 16) & 0xFFFF, (high & 0x0FFF) | 0x4000);
    format!("{a:08X}-{b:04X}-{c:04X}-{:04X}-{:012X}", low >> 48, low & 0xFFFF_FFFF_FFFF)
}

/// An ECS instance id.
pub(crate) fn ecs_instance(noise: Noise) -> String {
    format!("i-uf6{}", base36(noise.bits(), 11) + &base36(noise.with(1).bits(), 6))
}

/// A SWAS instance id: 32 hexadecimal digits.
pub(crate) fn swas_instance(noise: Noise) -> String {
    format!("{:016x}{:016x}", noise.bits(), noise.with(1).bits())
}

/// The suffix of a cluster id.
pub(crate) fn cluster_suffix(noise: Noise) -> String {
    let letter = |index: u64| {
        let digit = DIGITS[noise.with(index).between(0, 35) as usize] as char;
        if noise.with(index + 100).bits().is_multiple_of(2) {
            digit.to_ascii_uppercase()
        } else {
            digit
        }
    };
    (0..10).map(letter).collect()
}

fn base36(mut value: u64, width: usize) -> String {
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(value % 36) as usize];
        value /= 36;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_hold_their_number_and_history_has_negative_ones() {
        let numbering = Numbering::new(Noise::new(7));
        for number in [-1_000_000, -1, 0, 1, 123_456_789] {
            assert_eq!(numbering.number_of_uuid(&numbering.uuid(number)), Some(number));
            assert_eq!(
                numbering.number_of_word("t-hz0", &numbering.word("t-hz0", number)),
                Some(number)
            );
        }
    }

    #[test]
    fn ids_look_like_those_of_the_cloud() {
        let numbering = Numbering::new(Noise::new(7));
        assert_eq!(numbering.uuid(5).len(), 36);
        assert_eq!(numbering.word("c-hz0", 5).len(), 17);
        assert_eq!(swas_instance(Noise::new(1)).len(), 32);
        assert_eq!(ecs_instance(Noise::new(1)).len(), 22);
    }

    #[test]
    fn foreign_ids_do_no_harm() {
        let numbering = Numbering::new(Noise::new(7));
        for id in [
            "",
            "x",
            "B745C159-3155-4B94-95D0-4B73D4D2****",
            "c-hz0",
            "t-hz0ÄÖÜ",
            "ffffffffffffffffffé-ffff",
        ] {
            let _ = (numbering.number_of_uuid(id), numbering.number_of_word("t-hz0", id));
        }
    }
}
