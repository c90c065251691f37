//! How long the headers of an answer ask to wait.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::Timestamp;

/// Maximum pause, whatever an answer asks for: a wrong value must not silence an operation for
/// hours.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The longest pause that the headers ask for, at most [`LONGEST_PAUSE`]. `received` is when they
/// arrived, by this machine's clock: a date counts from the answer's own Date, or else from then.
pub(super) fn pause(headers: &HeaderMap, received: Option<Timestamp>) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let limits = ["x-ratelimit-user-api", "x-ratelimit-user"];
    let limits = limits.into_iter().filter_map(|name| time_left(text(name)?));
    let direct = text("x-acs-retry-after").and_then(number).map(Duration::from_millis);
    let usual = text(RETRY_AFTER.as_str()).and_then(|text| retry_after(text, headers, received));
    let longest = limits.chain(direct).chain(usual).max()?;
    (!longest.is_zero()).then(|| longest.min(LONGEST_PAUSE))
}

/// When an answer was written, by its Date header.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()
}

/// Parses Retry-After: seconds, or a date.
fn retry_after(text: &str, headers: &HeaderMap, received: Option<Timestamp>) -> Option<Duration> {
    if let Some(seconds) = number(text) {
        return Some(Duration::from_secs(seconds));
    }
    let from = date(headers).or(received)?;
    Duration::try_from(http_date(text)?.duration_since(from)).ok()
}

/// `TimeLeft`, in milliseconds, of `Limit:1,Remain:0,TimeLeft:2000,Reset:1234` when nothing
/// remains.
fn time_left(limit: &str) -> Option<Duration> {
    let field = |name: &str| {
        let value =
            limit.split(',').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix(':'))?;
        number(value.trim())
    };
    (field("Remain")? == 0).then(|| field("TimeLeft"))?.map(Duration::from_millis)
}

/// A whole number; one too large for u64 becomes its maximum.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use jiff::Timestamp;

    use super::pause;

    const NOW: &str = "2024-05-06T07:00:00Z";

    fn seconds(headers: &[(&'static str, &str)]) -> Option<f64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let received: Timestamp = NOW.parse().unwrap();
        pause(&map, Some(received)).map(|pause| pause.as_secs_f64())
    }

    #[test]
    fn the_pause_is_read_from_every_header_in_every_form() {
        for (name, value, wanted) in [
            ("x-acs-retry-after", "1500", Some(1.5)),
            ("x-acs-retry-after", "0", None),
            ("x-ratelimit-user-api", "Limit:1,Remain:0,TimeLeft:2000,Reset:1234", Some(2.0)),
            ("x-ratelimit-user", "Limit:9,Remain:3,TimeLeft:2000,Reset:1234", None),
            ("x-ratelimit-user", "nonsense", None),
            ("retry-after", "7", Some(7.0)),
            ("retry-after", " 7 ", Some(7.0)),
            ("retry-after", "-7", None),
            ("retry-after", "soon", None),
            ("retry-after", "", None),
            ("retry-after", "Mon, 06 May 2024 07:01:30 GMT", Some(90.0)),
            ("retry-after", "Mon, 06 May 2024 06:59:00 GMT", None),
        ] {
            assert_eq!(seconds(&[(name, value)]), wanted, "{name}: {value}");
        }
    }

    #[test]
    fn a_date_counts_from_the_answers_own() {
        let later = [
            ("date", "Mon, 06 May 2024 08:00:00 GMT"),
            ("retry-after", "Mon, 06 May 2024 08:00:20 GMT"),
        ];
        assert_eq!(seconds(&later), Some(20.0), "this machine's clock is an hour behind");
    }

    #[test]
    fn the_longest_pause_counts_and_an_absurd_one_is_five_minutes() {
        assert_eq!(seconds(&[("x-acs-retry-after", "1500"), ("retry-after", "2")]), Some(2.0));
        for (name, value) in [
            ("retry-after", "86400"),
            ("retry-after", "99999999999999999999999"),
            ("retry-after", "Mon, 06 May 2044 07:00:00 GMT"),
            ("x-acs-retry-after", "18446744073709551616"),
            ("x-ratelimit-user-api", "Limit:1,Remain:0,TimeLeft:18446744073709551615,Reset:0"),
        ] {
            assert_eq!(seconds(&[(name, value)]), Some(300.0), "{name}: {value}");
        }
    }
}
