//! Points in time and durations as text. The script keeps the same text current, from the same
//! words: see `words` in page.js.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use crate::web::text::Texts;

/// A planned time that has passed by more than this is overdue.
const GRACE: SignedDuration = SignedDuration::from_secs(30);

/// A rough duration: the one or two units that matter.
pub(super) fn span(t: &Texts, duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match seconds {
        0..60 => one(seconds, t.seconds),
        60..3600 => one(seconds / 60, t.minutes),
        3600..86_400 => two(seconds / 3600, t.hours, seconds % 3600 / 60, t.minutes),
        _ => two(seconds / 86_400, t.days, seconds % 86_400 / 3600, t.hours),
    }
}

/// A duration that no longer changes, to the second while that matters.
pub(super) fn exact(t: &Texts, duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    if (60..3600).contains(&seconds) {
        two(seconds / 60, t.minutes, seconds % 60, t.seconds)
    } else {
        span(t, duration)
    }
}

fn one(number: i64, unit: &str) -> String {
    format!("{number} {unit}")
}

fn two(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 {
        one(large, large_unit)
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

/// RFC 3339 in UTC, to the second.
pub(super) fn absolute(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// How long ago something was.
pub(super) fn ago(t: &Texts, at: Timestamp, now: Timestamp) -> Markup {
    element(at, "ago", &ago_words(t, at, now))
}

/// How long something has lasted.
pub(super) fn since(t: &Texts, at: Timestamp, now: Timestamp) -> Markup {
    element(at, "for", &span(t, now.duration_since(at)))
}

/// When something is planned.
pub(super) fn planned(t: &Texts, at: Timestamp, now: Timestamp) -> Markup {
    element(at, "next", &planned_words(t, at, now))
}

fn element(at: Timestamp, tick: &str, words: &str) -> Markup {
    let at = absolute(at);
    html! { time datetime=(at) title=(at) data-tick=(tick) { (words) } }
}

fn with(pattern: &str, duration: &str) -> String {
    pattern.replace("{}", duration)
}

fn ago_words(t: &Texts, at: Timestamp, now: Timestamp) -> String {
    let age = now.duration_since(at);
    match age.as_secs() {
        0 => t.just_now.to_owned(),
        1.. => with(t.ago, &span(t, age)),
        _ => with(t.within, &span(t, -age)),
    }
}

fn planned_words(t: &Texts, at: Timestamp, now: Timestamp) -> String {
    let late = now.duration_since(at);
    if late > GRACE {
        with(t.overdue, &span(t, late))
    } else if late.as_secs() >= 0 {
        t.due.to_owned()
    } else {
        with(t.within, &span(t, -late))
    }
}

/// The words for the script, as JSON.
pub(super) fn words(t: &Texts) -> String {
    serde_json::json!({
        "seconds": t.seconds, "minutes": t.minutes, "hours": t.hours, "days": t.days,
        "now": t.just_now, "ago": t.ago, "in": t.within, "overdue": t.overdue, "due": t.due,
        "lost": t.connection_lost, "lostTitle": t.connection_lost_title, "selected": t.not_while_selected,
        "pausedFor": t.paused_for, "pause": t.pause, "resume": t.resume, "changed": t.lists_changed,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{absolute, ago, ago_words, exact, planned_words, span};
    use crate::web::text::{Lang, Texts};

    const T: &Texts = Lang::English.texts();

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
            assert_eq!(span(T, SignedDuration::from_secs(seconds)), words);
        }
        assert_eq!(exact(T, SignedDuration::from_secs(312)), "5 min 12 s");
        assert_eq!(exact(T, SignedDuration::from_secs(12)), "12 s");
        assert_eq!(exact(T, SignedDuration::from_secs(3661)), "1 h 1 min");
    }

    #[test]
    fn points_in_time_are_told_from_now() {
        assert_eq!(ago_words(T, at(0), at(0)), "just now");
        assert_eq!(ago_words(T, at(0), at(12)), "12 s ago");
        assert_eq!(ago_words(T, at(90), at(0)), "in 1 min");
        assert_eq!(planned_words(T, at(5), at(0)), "in 5 s");
        assert_eq!(planned_words(T, at(0), at(30)), "due");
        assert_eq!(planned_words(T, at(0), at(120)), "2 min overdue");
        let chinese = Lang::Chinese.texts();
        assert_eq!(ago_words(chinese, at(0), at(12)), "12 秒前");
        assert_eq!(planned_words(chinese, at(0), at(120)), "已超时 2 分钟");
    }

    #[test]
    fn the_exact_time_is_in_the_title() {
        let time = Timestamp::from_millisecond(1_700_000_000_999).unwrap();
        assert_eq!(absolute(time), "2023-11-14T22:13:20Z");
        assert!(ago(T, time, at(12)).into_string().contains("title=\"2023-11-14T22:13:20Z\""));
    }
}
