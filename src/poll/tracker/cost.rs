//! What a target costs in calls: the one arithmetic behind the live plan and the estimate before a start. Pure.

use std::time::Duration;

use crate::target::Kind;

/// Calls by operation.
pub type Calls = Vec<(&'static str, f64)>;

/// Inputs of a target's cost besides its cadence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Pages of its whole list; of a cluster's tasks, of the archived ones.
    pub pages: u32,
    /// Pages of what runs; only a cluster's tasks have a list for that.
    pub running_pages: u32,
    /// Pages of ListInstances; only a region has them.
    pub server_pages: u32,
    /// Whether its things are found by a list, and not named by the user.
    pub listed: bool,
    /// Whether the order of the list is known; all of it is read at each poll until then.
    pub ordered: bool,
    /// Whether the newest come first, so that a page with something new on it is not the last to be read.
    pub newest_first: bool,
    /// Things that are asked for one by one at each poll: open commands, and open invocations that are not on the pages that are read.
    pub open: usize,
    /// Things that end in an hour; each changes the list and has a result.
    pub ended_per_hour: f64,
}

impl Load {
    /// One page of everything, and nothing going on.
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

/// Calls of one poll on average, where a poll comes each `period` and whole lists are read each `history_interval`.
pub fn per_poll(kind: Kind, load: &Load, period: Duration, history_interval: Duration) -> Calls {
    let whole = (period.as_secs_f64() / history_interval.as_secs_f64()).min(1.0);
    let ended = load.ended_per_hour * period.as_secs_f64() / 3600.0;
    let others = f64::from(load.pages - 1);
    // One page is read anyway, one more when something has turned up, and all when that is due.
    let news = if load.newest_first { others.min(1.0) * ended.min(1.0) } else { 0.0 };
    let list = 1.0 + if load.ordered { others * whole + news } else { others };
    match kind {
        Kind::EhpcTasks => vec![("ListTasks", f64::from(load.running_pages) + f64::from(load.pages) * whole + ended)],
        Kind::EhpcInvocations => vec![
            ("ListCommands", if load.listed { list } else { 0.0 }),
            ("ListInvocationStatus", load.open as f64 + ended),
            ("ListInvocationResults", ended),
        ],
        Kind::SwasInvocations => {
            vec![("DescribeInvocations", list), ("DescribeInvocationResult", load.open as f64 + ended)]
        }
        Kind::SwasRegion => vec![
            ("DescribeCommandInvocations", list + load.open as f64),
            ("ListInstances", f64::from(load.server_pages) * whole),
        ],
        Kind::Discovery => search(load),
    }
}

/// Calls of the first reading of all there is, where `followed` things have ended before.
pub fn first_pass(kind: Kind, load: &Load, followed: usize) -> Calls {
    let (pages, followed) = (f64::from(load.pages), followed as f64);
    match kind {
        Kind::EhpcTasks => vec![("ListTasks", f64::from(load.running_pages) + pages)],
        Kind::EhpcInvocations => vec![
            ("ListCommands", if load.listed { pages } else { 0.0 }),
            ("ListInvocationStatus", followed),
            ("ListInvocationResults", followed),
        ],
        Kind::SwasInvocations => vec![("DescribeInvocations", pages), ("DescribeInvocationResult", followed)],
        Kind::SwasRegion => {
            vec![("DescribeCommandInvocations", pages), ("ListInstances", f64::from(load.server_pages))]
        }
        Kind::Discovery => search(load),
    }
}

/// A discovery target asks for one of these; [`by_budget`](super::super::by_budget) leaves out what it does not ask for.
fn search(load: &Load) -> Calls {
    ["ListClusters", "ListInstances", "ListRegions"].map(|list| (list, f64::from(load.pages))).to_vec()
}

/// Whether values are as old as the answers of an operation; others bring details of what has ended, or tell who is there.
pub fn refreshes(operation: &str) -> bool {
    !["ListInvocationResults", "DescribeInvocationResult", "ListInstances"].contains(&operation)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Load, first_pass, per_poll};
    use crate::target::Kind;

    const HALF_HOUR: Duration = Duration::from_secs(1800);

    fn calls(kind: Kind, load: Load, seconds: u64) -> Vec<f64> {
        per_poll(kind, &load, Duration::from_secs(seconds), HALF_HOUR).into_iter().map(|(_, calls)| calls).collect()
    }

    #[test]
    fn a_poll_reads_one_page_and_its_share_of_the_others() {
        assert_eq!(calls(Kind::SwasInvocations, Load::QUIET, 30), [1.0, 0.0]);
        assert_eq!(calls(Kind::SwasInvocations, Load { pages: 4, ..Load::QUIET }, 180), [1.3, 0.0]);
        assert_eq!(calls(Kind::EhpcTasks, Load { pages: 4, ..Load::QUIET }, 180), [1.4], "archived tasks come on top");
        assert_eq!(calls(Kind::SwasInvocations, Load { pages: 4, ..Load::QUIET }, 7200), [4.0, 0.0], "at most all");
        let unordered = Load { pages: 4, ordered: false, ..Load::QUIET };
        assert_eq!(calls(Kind::EhpcInvocations, unordered, 180), [4.0, 0.0, 0.0], "a new entry may be anywhere");
    }

    #[test]
    fn what_ends_costs_a_result_and_another_page_of_the_list() {
        let load = Load { pages: 2, ended_per_hour: 6.0, ..Load::QUIET };
        assert_eq!(calls(Kind::SwasInvocations, load, 180), [1.4, 0.3], "a tenth for the history, 0.3 for news");
        let oldest_first = Load { newest_first: false, ..load };
        assert_eq!(
            calls(Kind::SwasInvocations, oldest_first, 180),
            [1.1, 0.3],
            "news are on the last page, which is read anyway"
        );
        let named = Load { listed: false, open: 3, ended_per_hour: 6.0, ..Load::QUIET };
        assert_eq!(calls(Kind::EhpcInvocations, named, 60), [0.0, 3.1, 0.1]);
    }

    #[test]
    fn a_region_costs_one_list_however_many_servers_it_has() {
        assert_eq!(calls(Kind::SwasRegion, Load { pages: 10, server_pages: 2, ..Load::QUIET }, 180), [1.9, 0.2]);
        let busy = Load { pages: 10, open: 2, ended_per_hour: 6.0, ..Load::QUIET };
        assert_eq!(calls(Kind::SwasRegion, busy, 180), [4.2, 0.1], "two by id, and 0.3 for news: results come along");
    }

    #[test]
    fn the_first_pass_reads_every_page_and_every_result() {
        let of = |kind, pages, followed| -> Vec<f64> {
            let calls = first_pass(kind, &Load { pages, ..Load::QUIET }, followed);
            calls.into_iter().map(|(_, calls)| calls).collect()
        };
        assert_eq!(of(Kind::EhpcTasks, 4, 200), [5.0]);
        assert_eq!(of(Kind::EhpcInvocations, 1, 20), [1.0, 20.0, 20.0]);
        assert_eq!(of(Kind::SwasInvocations, 2, 80), [2.0, 80.0]);
        assert_eq!(of(Kind::SwasRegion, 9, 400), [9.0, 1.0]);
    }
}
