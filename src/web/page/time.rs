//! Points in time and durations as text. The script keeps the same text current: see `words` in
//! page.js.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

/// A planned time that has passed by more than this is overdue.
const GRACE: SignedDuration = SignedDuration::from_secs(30);

/// A rough duration: the one or two units that matter.
pub(super) fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// A duration that no longer changes, to the second while that matters.
pub(super) fn exact(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    if (60..3600).contains(&seconds) {
        two(seconds / 60, "min", seconds % 60, "s")
    } else {
        span(duration)
    }
}

fn two(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

/// RFC 3339 in UTC, to the second.
pub(super) fn absolute(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// How long ago something was.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    element(at, "ago", &ago_words(at, now))
}

/// How long something has lasted.
pub(super) fn since(at: Timestamp, now: Timestamp) -> Markup {
    element(at, "for", &span(now.duration_since(at)))
}

/// When something is planned.
pub(super) fn planned(at: Timestamp, now: Timestamp) -> Markup {
    element(at, "next", &planned_words(at, now))
}

fn element(at: Timestamp, tick: &str, words: &str) -> Markup {
    let at = absolute(at);
    html! { time datetime=(at) title=(at) data-tick=(tick) { (words) } }
}

fn ago_words(at: Timestamp, now: Timestamp) -> String {
    let age = now.duration_since(at);
    match age.as_secs() {
        0 => "now".to_owned(),
        1.. => format!("{} ago", span(age)),
        _ => format!("in {}", span(-age)),
    }
}

fn planned_words(at: Timestamp, now: Timestamp) -> String {
    let late = now.duration_since(at);
    if late > GRACE {
        format!("{} overdue", span(late))
    } else if late.as_secs() >= 0 {
        "due".to_owned()
    } else {
        format!("in {}", span(-late))
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{absolute, ago, ago_words, exact, planned_words, span};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn durations_are_said_in_the_units_that_matter() {
        for (seconds, words) in [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (3660, "1 h 1 min"),
            (86_399, "23 h 59 min"),
            (86_400, "1 d"),
            (1_000_000, "11 d 13 h"),
        ] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), words);
        }
        assert_eq!(exact(SignedDuration::from_secs(312)), "5 min 12 s");
        assert_eq!(exact(SignedDuration::from_secs(12)), "12 s");
        assert_eq!(exact(SignedDuration::from_secs(3661)), "1 h 1 min");
    }

    #[test]
    fn points_in_time_are_told_from_now() {
        assert_eq!(ago_words(at(0), at(0)), "now");
        assert_eq!(ago_words(at(0), at(12)), "12 s ago");
        assert_eq!(ago_words(at(90), at(0)), "in 1 min");
        assert_eq!(planned_words(at(5), at(0)), "in 5 s");
        assert_eq!(planned_words(at(0), at(30)), "due");
        assert_eq!(planned_words(at(0), at(120)), "2 min overdue");
    }

    #[test]
    fn the_exact_time_is_in_the_title() {
        let time = Timestamp::from_millisecond(1_700_000_000_999).unwrap();
        assert_eq!(absolute(time), "2023-11-14T22:13:20Z");
        assert!(ago(time, at(12)).into_string().contains("title=\"2023-11-14T22:13:20Z\""));
    }
}
