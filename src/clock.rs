//! The time by both clocks of this machine, and the CPU time of this process.
//!
//! The wall clock may be set at any time, so it cannot show the age of anything. The clock since
//! boot only goes forward, during sleep as well, and means nothing on another machine or after a
//! reboot.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

#[cfg(any(target_os = "linux", target_os = "android"))]
const SINCE_BOOT: ClockId = ClockId::Boottime;
/// The closest clock on other systems; on macOS it counts sleep as well.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

/// If two readings of both clocks disagree by less than this, the wall clock was not set in
/// between.
const SLACK: SignedDuration = SignedDuration::from_secs(1);

/// CPU time of this process so far, user and system, all threads.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The wall clock time this long after boot, by the clock as it is set now.
pub fn after_boot(time: SignedDuration) -> Timestamp {
    let now = Moment::now();
    now.wall.checked_sub(now.boot.saturating_sub(time)).unwrap_or(now.wall)
}

/// A moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock, as it was set at the time.
    pub wall: Timestamp,
    /// Since boot; negative if it was before.
    pub boot: SignedDuration,
}

impl Moment {
    /// The current moment.
    pub fn now() -> Self {
        let time = clock_gettime(SINCE_BOOT);
        let nanoseconds = i32::try_from(time.tv_nsec).unwrap_or_default();
        Self { wall: Timestamp::now(), boot: SignedDuration::new(time.tv_sec, nanoseconds) }
    }

    /// A moment of which only the wall clock time is known, seen from `self`: it is as old as the
    /// wall clock says, but never in the future.
    pub fn remembered(self, wall: Timestamp) -> Self {
        let age = self.wall.duration_since(wall).max(SignedDuration::ZERO);
        Self { wall, boot: self.boot.saturating_sub(age) }
    }

    /// How long after `earlier` this is.
    pub fn since(self, earlier: Self) -> SignedDuration {
        self.boot.saturating_sub(earlier.boot)
    }

    /// The wall clock time of this moment, by the clock as it is set at `now`, so that the two can
    /// be compared.
    pub fn by_clock_of(self, now: Self) -> Timestamp {
        let limit = if now.boot < self.boot { Timestamp::MAX } else { Timestamp::MIN };
        let time = now.wall.checked_sub(now.since(self)).unwrap_or(limit);
        if time.duration_since(self.wall).abs() < SLACK { self.wall } else { time }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::Moment;

    fn moment(wall: i64, boot: i64) -> Moment {
        Moment {
            wall: Timestamp::from_second(wall).unwrap(),
            boot: SignedDuration::from_secs(boot),
        }
    }

    #[test]
    fn the_clock_since_boot_goes_forward() {
        let earlier = Moment::now();
        let later = Moment::now();
        assert!(
            earlier.boot > SignedDuration::ZERO && later.since(earlier) >= SignedDuration::ZERO
        );
    }

    #[test]
    fn a_moment_is_told_by_the_clock_as_it_is_set_now() {
        let read = moment(1000, 50);
        assert_eq!(read.by_clock_of(moment(1060, 110)), read.wall);
        assert_eq!(read.by_clock_of(moment(400, 110)), moment(340, 0).wall, "set back since");
        assert_eq!(read.by_clock_of(moment(9060, 110)), moment(9000, 0).wall, "set forward since");
        let unset = Moment {
            wall: read.wall + SignedDuration::from_millis(60_300),
            boot: SignedDuration::from_secs(110),
        };
        assert_eq!(read.by_clock_of(unset), read.wall, "it was only adjusted");
    }

    #[test]
    fn what_is_remembered_is_as_old_as_the_wall_clock_says_and_never_younger_than_now() {
        let now = moment(1000, 50);
        assert_eq!(
            now.remembered(moment(900, 0).wall),
            moment(900, -50),
            "it was before this machine was booted"
        );
        assert_eq!(now.remembered(moment(5000, 0).wall), moment(5000, 50));
    }
}
