//! Durations and sizes in human-readable form.

use std::time::Duration;

use serde::Serializer;

const SIZES: [(&str, u64); 8] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

/// A number of hours.
pub(super) const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

/// `1m30.5s` as Go's `time.ParseDuration` reads it; a bare number is in nanoseconds, as in Go's
/// YAML library.
pub(super) fn parse_go_duration(text: &str) -> Option<Duration> {
    if let Ok(nanos) = text.parse::<u64>() {
        return Some(Duration::from_nanos(nanos));
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number);
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let factor = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|_| !text.is_empty())
}

/// `16MiB` -> bytes.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let factor = SIZES.iter().find(|(name, _)| *name == unit.trim_start())?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Bytes -> `16MiB`.
pub(super) fn format_size(bytes: u64) -> String {
    let fits =
        |&&(_, factor): &&(&str, u64)| factor.is_power_of_two() && bytes.is_multiple_of(factor);
    match SIZES.iter().find(fits) {
        Some((unit, factor)) if bytes > 0 => format!("{}{unit}", bytes / factor),
        _ => format!("{bytes}B"),
    }
}

/// `1m 30s`: the shortest text for exactly this duration, in units of at most hours.
pub(super) fn format_duration(duration: Duration) -> String {
    let units: [(&str, u128); 6] = [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];
    let mut rest = duration.as_nanos();
    let mut parts = Vec::new();
    for (unit, length) in units {
        if rest >= length {
            parts.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// Serialises a duration as in a configuration file.
///
/// # Errors
/// Those of the serializer.
pub(super) fn write_duration<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_duration(*duration))
}

/// Serialises a number of bytes as in a configuration file.
///
/// # Errors
/// Those of the serializer.
pub(super) fn write_size<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_size(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("16MiB"), Some(16 << 20));
        assert_eq!(parse_size("64 KiB"), Some(64 << 10));
        assert_eq!(parse_size("1kB"), Some(1000));
        for bad in [
            "",
            "16",
            "MiB",
            "16mib",
            "16MiBs",
            "-1B",
            "1.5MiB",
            "99999999999999999999B",
            "99999999999GiB",
        ] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
        assert_eq!(format_size(16 << 20), "16MiB");
        assert_eq!(format_size(1000), "1000B");
        assert_eq!(format_size(0), "0B");
    }

    #[test]
    fn durations() {
        for text in ["0s", "30s", "1m 30s", "336h", "100ms", "1h 1ms 5ns"] {
            assert_eq!(format_duration(humantime::parse_duration(text).unwrap()), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(seconds in 0u64..4_000_000_000, nanos in 0u32..1_000_000_000, bytes: u64) {
            let duration = Duration::new(seconds, nanos);
            prop_assert_eq!(humantime::parse_duration(&format_duration(duration)).unwrap(), duration);
            prop_assert_eq!(parse_size(&format_size(bytes)), Some(bytes));
        }
    }
}
