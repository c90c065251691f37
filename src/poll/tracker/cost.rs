//! What a target costs in calls; the same arithmetic for the live plan and the estimate before a
//! start. Pure.

use std::time::Duration;

use crate::action::Action;
use crate::target::Kind;

/// Inputs of a target's cost, besides its cadence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Pages of its whole list; for a cluster's tasks, of the archived ones.
    pub pages: u32,
    /// Pages of running tasks; only a cluster's tasks have such a list.
    pub running_pages: u32,
    /// Pages of ListInstances; only a region has them.
    pub server_pages: u32,
    /// Whether its items come from a list, instead of being named by the user.
    pub listed: bool,
    /// Whether the order of the list is known; until then each poll reads all of it.
    pub ordered: bool,
    /// Whether the newest entries come first, so that a page with something new is not the last one
    /// read.
    pub newest_first: bool,
    /// Items requested one by one in each poll: open commands, and open invocations that are not on
    /// the pages read.
    pub open: usize,
    /// Items that end per hour; each changes the list and has a result.
    pub ended_per_hour: f64,
}

impl Load {
    /// One page of everything, and no activity.
    pub const QUIET: Self = Self {
        pages: 1,
        running_pages: 1,
        server_pages: 1,
        listed: true,
        ordered: true,
        newest_first: true,
        open: 0,
        ended_per_hour: 0.0,
    };
}

/// Average calls of an operation per poll of a target of this kind, with one poll per `period` and
/// whole lists read once per `history_interval`.
pub(in crate::poll) fn per_poll(
    action: Action,
    kind: Kind,
    load: &Load,
    period: Duration,
    history_interval: Duration,
) -> f64 {
    let whole = (period.as_secs_f64() / history_interval.as_secs_f64()).min(1.0);
    let ended = load.ended_per_hour * period.as_secs_f64() / 3600.0;
    let others = f64::from(load.pages - 1);
    // One page is always read, one more when something is new, and all when that is due.
    let news = if load.newest_first { others.min(1.0) * ended.min(1.0) } else { 0.0 };
    let list = 1.0 + if load.ordered { others * whole + news } else { others };
    let open = load.open as f64;
    match action {
        Action::ListTasks => f64::from(load.running_pages) + f64::from(load.pages) * whole + ended,
        Action::ListCommands if !load.listed => 0.0,
        Action::ListCommands | Action::DescribeInvocations => list,
        Action::ListInvocationStatus | Action::DescribeInvocationResult => open + ended,
        Action::ListInvocationResults => ended,
        Action::DescribeCommandInvocations => list + open,
        Action::ListInstances if kind == Kind::SwasRegion => f64::from(load.server_pages) * whole,
        // Discovery reads its whole list each time.
        Action::ListInstances
        | Action::ListClusters
        | Action::EhpcListRegions
        | Action::SwasListRegions => f64::from(load.pages),
    }
}

/// Calls of an operation in the first full reading, if `followed` items have ended before.
pub(in crate::poll) fn first_pass(action: Action, kind: Kind, load: &Load, followed: usize) -> f64 {
    let pages = f64::from(load.pages);
    let followed = followed as f64;
    match action {
        Action::ListTasks => f64::from(load.running_pages) + pages,
        Action::ListCommands if !load.listed => 0.0,
        Action::ListInvocationStatus
        | Action::ListInvocationResults
        | Action::DescribeInvocationResult => followed,
        Action::ListInstances if kind == Kind::SwasRegion => f64::from(load.server_pages),
        Action::ListCommands
        | Action::DescribeInvocations
        | Action::DescribeCommandInvocations
        | Action::ListInstances
        | Action::ListClusters
        | Action::EhpcListRegions
        | Action::SwasListRegions => pages,
    }
}

/// Whether the answers of an operation determine how old values are; others bring details of ended
/// items, or list servers.
pub fn refreshes(action: Action) -> bool {
    match action {
        Action::ListInvocationResults
        | Action::DescribeInvocationResult
        | Action::ListInstances => false,
        Action::ListTasks
        | Action::ListCommands
        | Action::ListInvocationStatus
        | Action::DescribeInvocations
        | Action::DescribeCommandInvocations
        | Action::ListClusters
        | Action::EhpcListRegions
        | Action::SwasListRegions => true,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Load, first_pass, per_poll};
    use crate::action::Action;
    use crate::target::Kind;

    const HALF_HOUR: Duration = Duration::from_secs(1800);
    const EHPC_INVOCATIONS: [Action; 3] =
        [Action::ListCommands, Action::ListInvocationStatus, Action::ListInvocationResults];
    const SWAS_INVOCATIONS: [Action; 2] =
        [Action::DescribeInvocations, Action::DescribeInvocationResult];
    const SWAS_REGION: [Action; 2] = [Action::DescribeCommandInvocations, Action::ListInstances];

    fn calls<const N: usize>(actions: [Action; N], load: Load, seconds: u64) -> [f64; N] {
        let period = Duration::from_secs(seconds);
        actions.map(|action| per_poll(action, Kind::SwasRegion, &load, period, HALF_HOUR))
    }

    #[test]
    fn a_poll_reads_one_page_and_its_share_of_the_others() {
        assert_eq!(calls(SWAS_INVOCATIONS, Load::QUIET, 30), [1.0, 0.0]);
        assert_eq!(calls(SWAS_INVOCATIONS, Load { pages: 4, ..Load::QUIET }, 180), [1.3, 0.0]);
        assert_eq!(
            calls([Action::ListTasks], Load { pages: 4, ..Load::QUIET }, 180),
            [1.4],
            "archived tasks come on top"
        );
        assert_eq!(
            calls(SWAS_INVOCATIONS, Load { pages: 4, ..Load::QUIET }, 7200),
            [4.0, 0.0],
            "at most all"
        );
        let unordered = Load { pages: 4, ordered: false, ..Load::QUIET };
        assert_eq!(
            calls(EHPC_INVOCATIONS, unordered, 180),
            [4.0, 0.0, 0.0],
            "a new entry may be anywhere"
        );
    }

    #[test]
    fn what_ends_costs_a_result_and_another_page_of_the_list() {
        let load = Load { pages: 2, ended_per_hour: 6.0, ..Load::QUIET };
        assert_eq!(
            calls(SWAS_INVOCATIONS, load, 180),
            [1.4, 0.3],
            "a tenth for the history, 0.3 for news"
        );
        let oldest_first = Load { newest_first: false, ..load };
        assert_eq!(
            calls(SWAS_INVOCATIONS, oldest_first, 180),
            [1.1, 0.3],
            "news are on the last page, which is read anyway"
        );
        let named = Load { listed: false, open: 3, ended_per_hour: 6.0, ..Load::QUIET };
        assert_eq!(calls(EHPC_INVOCATIONS, named, 60), [0.0, 3.1, 0.1]);
    }

    #[test]
    fn a_region_costs_one_list_however_many_servers_it_has() {
        assert_eq!(
            calls(SWAS_REGION, Load { pages: 10, server_pages: 2, ..Load::QUIET }, 180),
            [1.9, 0.2]
        );
        let busy = Load { pages: 10, open: 2, ended_per_hour: 6.0, ..Load::QUIET };
        assert_eq!(
            calls(SWAS_REGION, busy, 180),
            [4.2, 0.1],
            "two by id, and 0.3 for news: results come along"
        );
    }

    #[test]
    fn the_first_pass_reads_every_page_and_every_result() {
        fn of<const N: usize>(actions: [Action; N], pages: u32, followed: usize) -> [f64; N] {
            let load = Load { pages, ..Load::QUIET };
            actions.map(|action| first_pass(action, Kind::SwasRegion, &load, followed))
        }
        assert_eq!(of([Action::ListTasks], 4, 200), [5.0]);
        assert_eq!(of(EHPC_INVOCATIONS, 1, 20), [1.0, 20.0, 20.0]);
        assert_eq!(of(SWAS_INVOCATIONS, 2, 80), [2.0, 80.0]);
        assert_eq!(of(SWAS_REGION, 9, 400), [9.0, 1.0]);
    }

    #[test]
    fn discovery_reads_its_whole_list_each_time() {
        let load = Load { pages: 7, ..Load::QUIET };
        let period = Duration::from_secs(600);
        let calls = per_poll(Action::ListInstances, Kind::Discovery, &load, period, HALF_HOUR);
        let first = first_pass(Action::ListInstances, Kind::Discovery, &load, 0);
        assert_eq!((calls, first), (7.0, 7.0));
    }
}
