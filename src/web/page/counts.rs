//! How many things are open, and how the others ended.

use std::fmt;

use maud::Render;

use super::parts::{Tone, grouped};

/// Number of things by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Still open.
    pub(super) running: usize,
    /// Ended, successfully or not.
    pub(super) ended: usize,
    /// Ended, but not successfully.
    pub(super) bad: usize,
    /// In a state that this version does not know.
    pub(super) unknown: usize,
}

impl Counts {
    /// Counts things by whether they are open, and by their tone.
    pub(super) fn of(things: impl Iterator<Item = (bool, Tone)>) -> Self {
        things.fold(Self::default(), Self::and)
    }

    fn and(mut self, (open, tone): (bool, Tone)) -> Self {
        match (open, tone) {
            (_, Tone::Unknown) => self.unknown += 1,
            (true, _) => self.running += 1,
            (false, _) => self.ended += 1,
        }
        self.bad += usize::from(!open && matches!(tone, Tone::Bad | Tone::Warn));
        self
    }

    /// The sum of both.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            running: self.running + other.running,
            ended: self.ended + other.ended,
            bad: self.bad + other.bad,
            unknown: self.unknown + other.unknown,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} running, {} ended", grouped(self.running), grouped(self.ended))?;
        if self.unknown > 0 { write!(f, ", {} unknown", grouped(self.unknown)) } else { Ok(()) }
    }
}

impl Render for Counts {
    fn render_to(&self, buffer: &mut String) {
        buffer.push_str(&self.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Tone};

    #[test]
    fn what_nobody_knows_is_neither_running_nor_ended() {
        let things = [
            (true, Tone::Active),
            (true, Tone::Unknown),
            (false, Tone::Unknown),
            (false, Tone::Bad),
        ];
        let counts = Counts::of(things.into_iter());
        assert_eq!(counts, Counts { running: 1, ended: 1, bad: 1, unknown: 2 });
        assert_eq!(counts.plus(counts).to_string(), "2 running, 2 ended, 4 unknown");
        let calm = Counts::of([(false, Tone::Good), (false, Tone::Quiet)].into_iter());
        assert_eq!(calm.to_string(), "0 running, 2 ended");
    }
}
