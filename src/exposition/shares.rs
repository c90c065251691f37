//! How the page's room is shared among the targets.

use super::limits::{ALL, Demand, Limits, Part, PerPart};
use crate::config::Metrics;

/// Divisor of the limit: if something is left out, this part of the page stays free, so that not
/// everything is shared out again whenever a target gains a series.
const SPARE: usize = 10;

/// Maximum number of series of each part per target, so that all targets fit on the page:
/// everything that is kept longer comes before anything that is left out first, and each target
/// gets the same share of the part that does not fit. `before` are the current shares, which are
/// kept while they fit well enough.
pub(super) fn shares(
    demands: impl Iterator<Item = Demand>,
    metrics: &Metrics,
    before: PerPart,
) -> PerPart {
    let alone = Limits::alone(metrics);
    let mut floor = 0;
    let mut wanted = Vec::new();
    for demand in demands {
        floor += demand.floor;
        wanted.push(alone.granted(&demand));
    }
    let room = metrics.max_series.saturating_sub(floor);
    let used = used(&wanted, before);
    let is_cut = self::used(&wanted, ALL) > room;
    if !is_cut {
        return ALL;
    }
    let spare = metrics.max_series / SPARE;
    if before != ALL && used <= room && used >= room.saturating_sub(2 * spare) {
        return before;
    }
    share(&wanted, room, spare)
}

fn used(wanted: &[PerPart], shares: PerPart) -> usize {
    wanted
        .iter()
        .flat_map(|parts| parts.iter().zip(shares))
        .map(|(wanted, share)| *wanted.min(&share))
        .sum()
}

fn share(wanted: &[PerPart], room: usize, spare: usize) -> PerPart {
    let mut shares = PerPart::default();
    let mut left = room;
    for part in (0..Part::ALL.len()).rev() {
        let mut wanted: Vec<usize> = wanted.iter().map(|parts| parts[part]).collect();
        let all: usize = wanted.iter().sum();
        if all > left {
            shares[part] = level(&mut wanted, left.saturating_sub(spare));
            return shares;
        }
        shares[part] = usize::MAX;
        left -= all;
    }
    shares
}

/// The largest share with which all fit into `room`: targets that want less leave the rest to the
/// others.
fn level(wanted: &mut [usize], room: usize) -> usize {
    wanted.sort_unstable();
    let mut left = room;
    let mut others = wanted.len();
    for wanted in wanted {
        let share = left / others;
        if *wanted > share {
            return share;
        }
        left -= *wanted;
        others -= 1;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{level, shares, used};
    use crate::config::Metrics;
    use crate::exposition::limits::{ALL, Demand, Limits, PerPart};

    fn metrics(max_series: usize) -> Metrics {
        Metrics { max_series, max_series_per_target: 1000, ..Metrics::default() }
    }

    #[test]
    fn who_wants_less_leaves_the_rest_to_the_others() {
        assert_eq!(level(&mut [5, 100, 20], 65), 40);
        assert_eq!(level(&mut [5, 5], 10), usize::MAX);
        assert_eq!(level(&mut [9, 9], 0), 0);
    }

    #[test]
    fn all_that_is_open_comes_before_anything_that_has_ended_whosever_it_is() {
        let demands =
            [Demand { floor: 10, parts: [500, 0, 30] }, Demand { floor: 10, parts: [0, 300, 10] }];
        let shares = |max_series| shares(demands.iter().copied(), &metrics(max_series), ALL);
        assert_eq!(shares(860), ALL);
        assert_eq!(shares(859), [414, usize::MAX, usize::MAX]);
        assert_eq!(shares(360), [0, usize::MAX, usize::MAX]);
        assert_eq!(shares(359), [0, 264, usize::MAX]);
        assert_eq!(shares(60), [0, 0, usize::MAX]);
        assert_eq!(shares(50), [0, 0, 15]);
        assert_eq!(shares(10), [0, 0, 0], "the floor is above the limit");
    }

    fn demand() -> impl Strategy<Value = Demand> {
        (0..40usize, [0..200usize, 0..400, 0..60])
            .prop_map(|(floor, parts)| Demand { floor, parts })
    }

    proptest! {
        #[test]
        fn whatever_is_wanted_fits_or_is_the_floor_alone(
            days in prop::collection::vec(prop::collection::vec(demand(), 1..40), 1..8),
            max_series in 1..20_000usize,
        ) {
            let mut before: PerPart = ALL;
            for demands in days {
                before = shares(demands.iter().copied(), &metrics(max_series), before);
                let limits = Limits { target: 1000, shares: before };
                let granted: Vec<PerPart> = demands.iter().map(|demand| limits.granted(demand)).collect();
                let floor: usize = demands.iter().map(|demand| demand.floor).sum();
                let room = max_series.saturating_sub(floor);
                let shown = used(&granted, ALL);
                prop_assert!(shown <= room, "{shown} of {room}");
                let alone: Vec<PerPart> =
                    demands.iter().map(|demand| Limits::alone(&metrics(max_series)).granted(demand)).collect();
                prop_assert_eq!(used(&alone, ALL) <= room, before == ALL, "nothing is cut that has room");
            }
        }
    }
}
