//! The effects on `/metrics` of series limits that are too small.

use super::parts::{counted_word, grouped};
use crate::exposition::TargetSeries;
use crate::model::SeriesUse;

/// The problems, as sentences without full stops.
pub(super) fn said<'a>(
    series: &SeriesUse,
    targets: impl Iterator<Item = &'a TargetSeries>,
) -> Vec<String> {
    [above(series), targets_above(series), open(targets)].into_iter().flatten().collect()
}

/// Why there are more series than are allowed.
pub(super) fn above(series: &SeriesUse) -> Option<String> {
    (series.shown > series.limit).then(|| {
        let shown = grouped(series.shown);
        let limit = grouped(series.limit);
        format!(
            "/metrics has {shown} series though metrics.max_series is {limit}: counters, counts by status and last invocations of \
             commands alone exceed it, and are never left out"
        )
    })
}

fn targets_above(series: &SeriesUse) -> Option<String> {
    let count = series.targets_above;
    (count > 0).then(|| {
        let targets = counted_word(count, "target", "targets");
        let have = counted_word(count, "has", "have");
        format!(
            "{} {targets} {have} more series than metrics.max_series_per_target allows, of those that are never left out",
            grouped(count)
        )
    })
}

fn open<'a>(targets: impl Iterator<Item = &'a TargetSeries>) -> Option<String> {
    let count = targets.filter(|series| series.lacks_open()).count();
    (count > 0).then(|| {
        let targets = counted_word(count, "target", "targets");
        format!(
            "Open tasks, commands or invocations of {} {targets} are left out of /metrics: raise metrics.max_series_per_target or \
             metrics.max_series",
            grouped(count)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::said;
    use crate::exposition::TargetSeries;
    use crate::model::SeriesUse;

    #[test]
    fn limits_that_are_too_small_are_told_with_the_reason_and_others_are_not() {
        let dropped = |dropped| TargetSeries { shown: 0, dropped };
        let series =
            |shown, targets_above| SeriesUse { shown, limit: 1000, floor: 900, targets_above };
        assert_eq!(said(&series(1000, 0), [dropped([9, 9, 0])].iter()), Vec::<String>::new());
        let told = said(
            &series(1001, 1),
            [dropped([0, 0, 1]), dropped([0, 9, 9]), dropped([0; 3])].iter(),
        );
        assert!(told[0].starts_with(
            "/metrics has 1\u{202f}001 series though metrics.max_series is 1\u{202f}000: counters"
        ));
        assert!(
            told[1]
                .starts_with("1 target has more series than metrics.max_series_per_target allows"),
            "{told:?}"
        );
        assert!(
            told[2].starts_with(
                "Open tasks, commands or invocations of 2 targets are left out of /metrics"
            ),
            "{told:?}"
        );
        assert_eq!(told.len(), 3);
    }
}
