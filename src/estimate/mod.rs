//! The cost of a configuration, before anything is started: calls by budget, the first pass,
//! series. Pure.
//!
//! The numbers come first, and [`text()`] formats them. Calls are computed with the arithmetic of
//! the planned load (`poll`), and series are counted by rendering (`exposition`), so neither is
//! implemented twice. Formulas: docs/design.md, "What a plan costs".

mod assume;
mod calls;
mod cost;
mod discovered;
mod first;
mod groups;
mod json;
mod kinds;
mod lists;
mod scenario;
mod series;
mod text;
mod verdict;

pub use assume::Assumptions;
pub use calls::Budget;
pub use cost::{Estimate, Planned};
pub use discovered::{discovered, discovered_json};
pub use first::FirstPass;
pub use json::json;
pub use lists::LongLists;
pub use scenario::Scenario;
pub use series::{Series, warnings};
pub use text::text;

use crate::config::Config;
use crate::target::{Findings, Kind, polled, targets};

/// Estimates the cost of `config`, given what discovery found; `findings` is empty if discovery was
/// not run.
pub fn estimate(config: &Config, findings: &Findings, assumptions: Assumptions) -> Estimate {
    let list = targets(config, findings);
    let searches = list.iter().filter(|target| target.id.kind == Kind::Discovery).count();
    let asked = polled(list.clone());
    let budgets = calls::budgets(config, &asked, &assumptions);
    let poll = &config.poll;
    Estimate {
        targets: list.len() - searches,
        searches,
        unknown: config.discovers() && findings.is_empty(),
        incomplete: false,
        first_pass: first::pass(config, &asked, &assumptions),
        series: series::series(&list, &config.metrics, &assumptions),
        long_lists: lists::long_lists(&asked, poll),
        enough_interval: calls::enough_interval(config, &asked, &budgets, &assumptions),
        poll: Planned {
            interval: poll.interval,
            active: poll.active_interval,
            idle: poll.idle_interval,
            stale_after: poll.stale_after,
        },
        budgets,
        assumptions,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Assumptions, Budget, Estimate, Scenario, Series, estimate, text, warnings};
    use crate::action::Action;
    use crate::config::parse;
    use crate::model::DiscoveredResource;
    use crate::target::{Findings, Kind, TargetId};

    fn of(yaml: &str) -> Estimate {
        estimate(
            &parse("test.yaml", yaml, &|_| None).unwrap(),
            &Findings::new(),
            Assumptions::default(),
        )
    }

    fn servers(count: usize) -> String {
        let ids: Vec<String> =
            (0..count).map(|number| format!("{{id: s{number}, region: r}}")).collect();
        format!("swas: {{servers: [{}]}}\n", ids.join(", "))
    }

    fn budget(estimate: &Estimate, action: Action) -> &Budget {
        estimate.budgets.iter().find(|budget| budget.key.action == action).unwrap()
    }

    /// Calls per minute: idle, base, busy; in hundredths.
    fn needs(estimate: &Estimate, action: Action) -> [u32; 3] {
        budget(estimate, action).needs.map(|need| (need * 100.0).round() as u32)
    }

    #[test]
    fn a_hundred_servers_at_six_calls_a_minute() {
        let small = of(&(servers(100) + "accounts: [{name: a, quotas: {SWAS: 6}}]"));
        assert_eq!(
            needs(&small, Action::DescribeInvocations),
            [5_000, 20_000, 60_000],
            "100 x 0.5, 2 and 6"
        );
        assert_eq!(
            needs(&small, Action::DescribeInvocationResult),
            [0, 0, 1000],
            "100 x 6 in an hour"
        );
        assert_eq!(small.longest_refresh().as_secs(), 1016, "100 in turn, 6 in 61 seconds");
        assert_eq!(small.first_pass.values.as_secs(), 16 * 61, "the last is among the 17th six");
        assert_eq!(small.first_pass.complete.as_secs(), 833 * 61, "5000 results");
        assert_eq!(small.enough_interval, Some(Duration::from_secs(17 * 60)), "1000 s and a bit");
        assert!(!small.is_kept());
        let text = text(&small);
        assert!(text.starts_with("The plan cannot be kept: SWAS.DescribeInvocations in r (quota group a) needs 200 calls a minute and may make 6.\n"), "{text}");
        assert!(
            text.contains("Set poll.interval, poll.idle_interval, poll.stale_after to 17m"),
            "{text}"
        );
    }

    #[test]
    fn what_it_advises_helps() {
        let poll = "accounts: [{name: a, quotas: {SWAS: 6}}]\n\
                    poll: {interval: 17m, idle_interval: 17m, stale_after: 17m}";
        assert!(of(&(servers(100) + poll)).is_kept());
        assert!(of(&(servers(100) + "accounts: [{name: a, quotas: {SWAS: 200}}]")).is_kept());
        assert!(!of(&(servers(100) + "accounts: [{name: a, quotas: {SWAS: 199}}]")).is_kept());
        assert!(
            !of(&(servers(1) + "poll: {idle_interval: 11m}")).is_kept(),
            "older than stale_after when idle"
        );
    }

    #[test]
    fn two_clusters_at_the_defaults() {
        let two = of("ehpc: {clusters: [{id: a, region: r}, {id: b, region: r}]}");
        // Two polls per minute and four pages of history every half hour; when busy, six polls and
        // a task that ended.
        assert_eq!(needs(&two, Action::ListTasks), [127, 427, 1247]);
        assert_eq!(
            needs(&two, Action::ListInvocationStatus),
            [0, 0, 6020],
            "five commands six times a minute, and ends"
        );
        assert_eq!(needs(&two, Action::ListInvocationResults), [0, 0, 20]);
        assert_eq!(two.first_pass.calls, 2.0 * (5.0 + 1.0 + 20.0 + 20.0));
        assert_eq!(
            (two.first_pass.values.as_millis(), two.is_kept()),
            (4500, true),
            "21 calls after the third spread"
        );
    }

    #[test]
    fn accounts_of_one_quota_group_share_the_smaller_budget() {
        let shared = of("accounts:\n  - {name: a, quota_group: g, quotas: {SWAS: 10}}\n  \
                         - {name: b, quota_group: g, quotas: {SWAS: 6}}\n\
                         swas: {servers: [{id: s0, region: r, account: a}, {id: s1, region: r, account: b}]}");
        let lists = budget(&shared, Action::DescribeInvocations);
        assert_eq!((&*lists.key.group, lists.quota, lists.targets), ("g", 6, 2));
        assert_eq!((lists.need(Scenario::Base), shared.budgets.len()), (4.0, 2));
    }

    #[test]
    fn a_region_costs_as_much_as_one_server_and_has_the_series_of_all() {
        let region = of(&servers(100).replace("{servers", "{strategy: per_region, servers"));
        // 5000 invocations fill 100 pages, more than the limit of 20: one page per poll, and 19
        // more every half hour.
        assert_eq!(needs(&region, Action::DescribeCommandInvocations)[..2], [113, 263]);
        assert_eq!(needs(&region, Action::ListInstances), [7, 7, 7], "two pages each half hour");
        assert_eq!(region.budgets.len(), 2, "and no results");
        assert_eq!((region.first_pass.calls, region.targets), (22.0, 100));
        let Series { least, floor, most, .. } = region.series;
        assert_eq!(
            (least, floor, most),
            (100 * 22, 100 * (22 + 50 * 6), 100 * (22 + 50 * 6 + 50 * 7))
        );
        let lists = budget(&region, Action::DescribeCommandInvocations);
        assert_eq!((lists.targets, lists.refreshes), (100, true));
    }

    #[test]
    fn named_commands_need_no_list_and_many_discovered_ones_a_long_one() {
        let named = of("ehpc: {clusters: [{id: a, region: r, commands: {ids: [x, y, z]}}]}");
        assert_eq!(needs(&named, Action::ListCommands), [0, 0, 0]);
        assert_eq!(
            needs(&named, Action::ListInvocationStatus),
            [0, 0, 1810],
            "three six times a minute, and ends"
        );
        let found = of("ehpc: {clusters: [{id: a, region: r, commands: {discover: 120}}]}");
        assert_eq!(
            needs(&found, Action::ListCommands),
            [150, 600, 1800],
            "three pages: no times teach their order"
        );
        assert_eq!(needs(&found, Action::ListInvocationStatus)[2], 3010, "five are open");
    }

    #[test]
    fn discovery_costs_little_and_what_it_finds_is_unknown_until_it_is_asked() {
        let yaml = "swas: {discovery: [{regions: [r, q], interval: 5m}]}\npoll: {stale_after: 2m}";
        let blind = of(yaml);
        assert_eq!((blind.targets, blind.searches, blind.unknown), (0, 2, true));
        assert_eq!(needs(&blind, Action::ListInstances), [20, 20, 20], "each five minutes");
        assert!(blind.is_kept(), "discovery may be slower than stale_after");
        let text = text(&blind);
        assert!(
            text.contains("discovery in 2 places")
                && text.contains("check --estimate --live asks the cloud"),
            "{text}"
        );
        assert!(
            text.lines().any(|line| line.contains("SWAS.ListInstances") && line.ends_with("5m")),
            "{text}"
        );

        let found = |id: usize| DiscoveredResource {
            id: format!("s{id}").into(),
            name: "".into(),
            region: None,
        };
        let place = TargetId { kind: Kind::Discovery, id: "swas/default/r".into() };
        let findings: Findings = [(place, (0..400).map(found).collect())].into();
        let config = parse("test.yaml", yaml, &|_| None).unwrap();
        let live = estimate(&config, &findings, Assumptions::default());
        assert_eq!(
            (live.targets, live.unknown, live.is_kept()),
            (400, false, false),
            "800 of 600 calls a minute"
        );
        assert!(!super::text(&live).contains("--live"));
    }

    #[test]
    fn series_are_those_of_empty_and_of_full_windows() {
        let series = |more: &str| of(&(servers(2) + more)).series;
        let plain = series("");
        assert_eq!((plain.least, plain.most, plain.cut), (2 * 27, 2 * (27 + 50 * 7 + 50 * 6), 0));
        assert_eq!((plain.own, plain.floor, plain.above), (2 * 13, 2 * (27 + 50 * 6), 0));
        assert_eq!(series("metrics: {status_style: full}").most, 2 * (27 + 50 * 18 + 50 * 14));
        let cut = series("metrics: {max_series_per_target: 430, max_series: 840}");
        assert_eq!((cut.most, cut.cut, cut.limit), (2 * (327 + 14 * 7), 2, 840));
        let warned = of(&(servers(2) + "metrics: {max_series: 700}"));
        let text = text(&warned);
        assert!(warned.is_kept() && text.contains("may reach metrics.max_series, 700"), "{text}");
        let line = "Series: at least 54, at most 700 of the 700 that metrics.max_series allows; \
                    54 to 654 of these are never left out";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn where_lines_are_few_the_two_products_lists_of_regions_have_one_each() {
        let accounts: Vec<String> = (0..12)
            .map(|number| format!("{{name: a{number}, quotas: {{EHPC: {}}}}}", 100 + number))
            .collect();
        let places: Vec<String> =
            (0..12).map(|number| format!("{{regions: [all], account: a{number}}}")).collect();
        let places = places.join(", ");
        let yaml = format!(
            "accounts: [{}]\nehpc: {{discovery: [{places}]}}\nswas: {{discovery: [{places}]}}",
            accounts.join(", ")
        );
        let text = text(&of(&yaml));
        assert!(
            text.contains(" SWAS.ListRegions ") && text.contains(" EHPC.ListRegions "),
            "{text}"
        );
    }

    /// Five accounts with clusters and servers in four regions each; `uneven` puts more into some
    /// places.
    fn fleet(clusters: usize, servers: usize, uneven: bool, more: &str) -> Estimate {
        let regions = ["cn-beijing", "cn-hangzhou", "cn-shanghai", "cn-shenzhen"];
        let place = |number: usize| {
            let place = if uneven { number * number % 97 } else { number };
            format!("region: {}, account: a{}", regions[place % 4], place % 5)
        };
        let list = |count: usize, id: &str| {
            let items: Vec<String> = (0..count)
                .map(|number| format!("{{id: {id}{number}, {}}}", place(number)))
                .collect();
            items.join(", ")
        };
        let accounts: Vec<String> = (0..5).map(|number| format!("{{name: a{number}}}")).collect();
        of(&format!(
            "accounts: [{}]\nehpc: {{clusters: [{}]}}\nswas: {{servers: [{}]}}\n{more}",
            accounts.join(", "),
            list(clusters, "c"),
            list(servers, "s")
        ))
    }

    #[test]
    fn a_fleet_fits_a_screen_and_what_is_alike_stands_on_one_line() {
        let fleet = fleet(200, 10_000, false, "");
        let text = text(&fleet);
        assert!(text.lines().count() < 35, "{text}");
        let wanted = "The plan cannot be kept: 20 budgets of SWAS.DescribeInvocations, in cn-beijing, cn-hangzhou, cn-shanghai, \
                      cn-shenzhen (quota groups a0, a1, a2, a3, a4), need 1000 calls a minute each and may make 600.\n";
        assert!(text.starts_with(wanted), "{text}");
        let row = text
            .lines()
            .find(|line| line.contains("SWAS.DescribeInvocations ") && line.starts_with("a0"))
            .unwrap();
        let cells: Vec<&str> =
            row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let name = "SWAS.DescribeInvocations";
        assert_eq!(
            cells,
            [
                "a0 and 4 more",
                "cn-beijing and 3 more",
                name,
                "500",
                "600",
                "250",
                "! 1000",
                "! 3000",
                "51s"
            ]
        );
        assert!(
            !text.contains("10s instead of 10s") && text.contains("! 301"),
            "301 of 300 makes no difference: {text}"
        );
    }

    #[test]
    fn a_fleet_of_unlike_places_fits_a_screen_too() {
        let fleet = fleet(200, 10_000, true, "");
        let text = text(&fleet);
        assert!(text.lines().count() < 45, "{text}");
        let lines = text.lines().filter(|line| line.contains("  SWAS.DescribeInvocations "));
        assert_eq!(lines.count(), 2, "the tightest and the others: {text}");
        assert!(text.contains("<= ") && text.contains("more budgets are too small"), "{text}");
        let named = text
            .lines()
            .find(|line| line.starts_with("When everything is busy, EHPC.ListInvocationStatus"))
            .unwrap();
        assert!(named.contains("needs up to ") && named.contains("quota groups a0"), "{named}");
    }

    #[test]
    fn a_list_that_must_be_whole_and_may_not_be_read_whole_breaks_the_plan() {
        let region = |more: &str| {
            of(&(servers(500).replace("{servers", "{strategy: per_region, servers") + more))
        };
        let long = region("metrics: {max_series: 10000000}");
        let text = text(&long);
        let wanted = "The plan cannot be kept: the list of SWAS.DescribeCommandInvocations of default/r has 500 pages when windows \
                      are full, and poll.history_max_pages lets 20 be read.\nSet poll.history_max_pages to 500, or lower \
                      swas.max_invocations.\n";
        assert!(!long.is_kept() && text.starts_with(wanted), "{text}");
        assert!(
            region("poll: {history_max_pages: 500}\nmetrics: {max_series: 10000000}").is_kept()
        );
        let servers = |window: usize| {
            of(&servers(2).replace("{servers", &format!("{{max_invocations: {window}, servers")))
        };
        assert!(servers(1000).is_kept() && !servers(1001).is_kept());
        let clusters = |tasks: &str| {
            of(&format!(
                "ehpc: {{{tasks}, clusters: [{{id: a, region: r}}, {{id: b, region: r}}]}}"
            ))
        };
        assert!(clusters("tasks: {max_tasks: 1000}, commands: {discover: 1000}").is_kept());
        let both = clusters(
            "tasks: {max_tasks: 1001}, commands: {discover: 60000}"
                .replace("60000", "10000")
                .as_str(),
        );
        let told = super::text(&both);
        assert!(
            told.contains("2 lists of EHPC.ListCommands have up to 200 pages (that of a) when windows are full"),
            "{told}"
        );
        assert!(
            told.contains("Nor can this be kept: 2 lists of EHPC.ListTasks have up to 21 pages"),
            "{told}"
        );
        assert!(
            told.contains("or lower ehpc.commands.discover and ehpc.tasks.max_tasks."),
            "{told}"
        );
    }

    #[test]
    fn the_least_number_of_series_breaks_the_plan_and_the_most_does_not() {
        let with = |limits: &str| of(&(servers(2) + "metrics: {" + limits + "}"));
        assert!(with("max_series: 54").is_kept() && with("max_series_per_target: 27").is_kept());
        for (limits, wanted) in [
            (
                "max_series: 53",
                "The plan cannot be kept: there are at least 54 series, and metrics.max_series is 53.",
            ),
            (
                "max_series_per_target: 26",
                "The plan cannot be kept: 2 targets have more series that are never left out than metrics.max_series_per_target allows.",
            ),
        ] {
            let text = text(&with(limits));
            assert!(!with(limits).is_kept() && text.starts_with(wanted), "{text}");
        }
    }

    #[test]
    fn a_program_is_told_every_budget_and_every_reason() {
        let fleet = super::json(&fleet(20, 1000, false, "metrics: {max_series: 9}"));
        assert_eq!(fleet["kept"], false);
        assert_eq!(fleet["problems"].as_array().unwrap().len(), 1, "{fleet}");
        assert_eq!(fleet["budgets"].as_array().unwrap().len(), 20 * 6);
        let budget = &fleet["budgets"][4];
        assert_eq!(
            (&budget["operation"], &budget["quota_group"]),
            (&"DescribeInvocationResult".into(), &"a0".into())
        );
        assert_eq!(
            (&budget["calls_per_minute"], &budget["refresh_seconds"]),
            (&600.into(), &serde_json::Value::Null)
        );
        let small = super::json(&of(&servers(1)));
        assert_eq!((&small["kept"], &small["problems"]), (&true.into(), &serde_json::json!([])));
        assert_eq!(small["budgets"][1]["needed_per_minute"]["base"], 2.0);
        assert_eq!(
            (&small["series"]["least"], &small["series"]["limit"]),
            (&27.into(), &200_000.into())
        );
    }

    #[test]
    fn a_limit_below_what_is_never_left_out_is_told_before_anything_is_started() {
        let told =
            |more: &str| warnings(&parse("test.yaml", &(servers(2) + more), &|_| None).unwrap());
        assert_eq!(told(""), Vec::<String>::new());
        assert_eq!(
            told("metrics: {max_series: 54, max_series_per_target: 27}"),
            Vec::<String>::new()
        );
        let both = told("metrics: {max_series: 53, max_series_per_target: 26}");
        assert!(
            both[0].starts_with(
                "metrics.max_series, 53, cannot be kept: 54 series are never left out"
            ),
            "{both:?}"
        );
        assert!(
            both[1].starts_with("metrics.max_series_per_target, 26, cannot be kept by 2 targets"),
            "{both:?}"
        );
        let estimate = of(&(servers(2) + "metrics: {max_series: 51}"));
        let text = text(&estimate);
        assert!(text.contains("at most ! 654 of the 51 that metrics.max_series allows"), "{text}");
        assert!(
            text.contains(
                "metrics.max_series, 51, is less than the 654 series that are never left out"
            ),
            "{text}"
        );
    }
}
