//! The limits of series drop everything that may be left out, in one order, and report what they
//! have dropped and why they cannot drop more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aliyun_task_exporter::catalog::{CATALOG, Source};
use aliyun_task_exporter::clock::Moment;
use aliyun_task_exporter::config::{InvocationWindow, Metrics};
use aliyun_task_exporter::exposition::{Exposition, Format};
use aliyun_task_exporter::model::{
    CommandType, Invocation, InvocationStatus, ListState, Reading, SeenSwasInvocation,
    SwasInvocationsReading,
};
use aliyun_task_exporter::sim::World;
use aliyun_task_exporter::store::{PollEnd, Store};
use aliyun_task_exporter::target::{Kind, Scope, Target};

use crate::support::harness::{Harness, id};
use crate::support::page::{Page, parse};
use crate::support::{seconds, start, worlds};

const DROPPED: &str = "aliyun_task_exporter_target_series_dropped";

/// A cluster and a server with open and ended things; nothing changes from second 100 on.
fn world() -> World {
    let mut world = worlds::servers(1, 0);
    worlds::add_cluster(&mut world, "c");
    for number in 0..8 {
        // The higher the number, the newer; odd ones are open.
        let from = 20 + 5 * number;
        let to = if number % 2 == 1 { 100_000 } else { 60 + number };
        world.add_task("c", worlds::task(&format!("t{number}"), from, to)).unwrap();
        world.add_command("c", worlds::command(&format!("k{number}"), 3, from, to)).unwrap();
        world
            .add_invocation("s00", worlds::invocation(&format!("r{number}"), from, to, number))
            .unwrap();
    }
    world
}

fn harness() -> Harness {
    let mut harness = Harness::scripted(world());
    harness.config.clusters[0].commands.per_node = true;
    harness.apply(harness.config.clone());
    harness.run_until(150);
    harness
}

fn limited(harness: &mut Harness, max_series_per_target: usize, max_series: usize) -> Page {
    let mut config = harness.config.clone();
    config.metrics.max_series_per_target = max_series_per_target;
    config.metrics.max_series = max_series;
    harness.apply(config);
    parse(&harness.page(Format::Text))
}

/// Number of polled series.
fn polled(page: &Page) -> usize {
    let is_polled = |name: &str| {
        let name =
            name.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count");
        let is_polled = |source: Source| matches!(source, Source::Cloud | Source::Directory);
        CATALOG.iter().any(|family| is_polled(family.source) && family.name == name)
    };
    page.samples.iter().filter(|sample| is_polled(&sample.name)).count()
}

/// The numbers of the things shown, from one family and the label with their ids.
fn ids(page: &Page, family: &str, label: &str) -> BTreeSet<u32> {
    page.all(family, &[]).map(|sample| sample.labels[label][1..].parse().unwrap()).collect()
}

/// For each kind of target, the family with a sample for each thing, and the label with its id.
const THINGS: [(&str, &str, &str); 3] = [
    ("ehpc_tasks", "aliyun_ehpc_task_status", "task_id"),
    ("ehpc_invocations", "aliyun_ehpc_invocation_status", "command_id"),
    ("swas_invocations", "aliyun_swas_invocation_status", "invoke_id"),
];

/// The numbers of all things of a kind, the newest first.
fn newest_first(harness: &Harness, kind: &str) -> Vec<u32> {
    let number = |id: &str| id[1..].parse().unwrap();
    match kind {
        "ehpc_tasks" => harness.tasks("c").tasks.iter().map(|seen| number(&seen.task.id)).collect(),
        "ehpc_invocations" => {
            harness.commands("c").commands.iter().map(|seen| number(&seen.id)).collect()
        }
        _ => harness
            .invocations("s00")
            .invocations
            .iter()
            .map(|seen| number(&seen.invocation.id))
            .collect(),
    }
}

/// Asserts that of what may be left out, newer and open things are kept. Returns the number of open
/// and of ended things shown.
fn assert_order(
    harness: &Harness,
    page: &Page,
    (kind, family, label): (&str, &str, &str),
) -> (usize, usize) {
    let shown = ids(page, family, label);
    let order = newest_first(harness, kind);
    let kept = |is_open: bool| {
        let all = order.iter().filter(|number| (*number % 2 == 1) == is_open);
        let count = all.clone().filter(|number| shown.contains(number)).count();
        assert!(
            all.take(count).all(|number| shown.contains(number)),
            "{kind}: {shown:?} of {order:?}"
        );
        count
    };
    let open = kept(true);
    let ended = kept(false);
    assert!(ended == 0 || open == 4, "{kind}: an open one is left out for an ended one: {shown:?}");
    (open, ended)
}

/// Lines that no limit drops.
fn floor(page: &Page) -> Vec<String> {
    let item = ["task_id", "command_id", "invoke_id"];
    let polled = page
        .samples
        .iter()
        .filter(|sample| !item.iter().any(|label| sample.labels.contains_key(*label)));
    let own = |sample: &&_| !format!("{sample}").contains("target_series");
    polled.filter(own).map(ToString::to_string).collect()
}

#[test]
fn within_a_target_nodes_go_first_then_the_oldest_ended_things_then_the_oldest_open_ones() {
    let mut harness = harness();
    let whole = limited(&mut harness, 100_000, 100_000);
    let all = polled(&whole);
    let floor_lines = floor(&whole);
    assert_eq!(whole.sum(DROPPED, &[]), 0.0);
    let mut stages = BTreeSet::new();
    for limit in 1..=200 {
        let page = limited(&mut harness, limit, 100_000);
        assert_eq!(
            floor(&page),
            floor_lines,
            "the floor stays whole, and tells what is known: {limit}"
        );
        let of = |kind: &str| {
            let target = [("kind", kind)];
            let shown = page.value("aliyun_task_exporter_target_series", &target).unwrap() as usize;
            (
                shown,
                ["per_node", "ended", "open"]
                    .map(|reason| page.sum(DROPPED, &[("kind", kind), ("reason", reason)])),
            )
        };
        let use_of = harness.exposition.series(harness.moment()).0;
        let mut above = 0;
        for thing in THINGS {
            let kind = thing.0;
            let (series, [per_node, ended, open]) = of(kind);
            let (shown_open, shown_ended) = assert_order(&harness, &page, thing);
            assert!(series <= limit || shown_open == 0, "{kind}: {series} of {limit}");
            above += usize::from(series > limit);
            assert_eq!(
                (open > 0.0, ended > 0.0),
                (shown_open < 4, shown_ended < 4),
                "{kind}: {limit}"
            );
            stages.insert((kind, per_node > 0.0, ended > 0.0, open > 0.0));
        }
        let nodes = ids(&page, "aliyun_ehpc_invocation_node_status", "command_id");
        assert!(
            nodes.is_empty() || of("ehpc_invocations").1[1..] == [0.0, 0.0],
            "{limit}: a node for a thing"
        );
        for command in nodes {
            let of_command = [("command_id", &*format!("k{command}"))];
            let count = page.all("aliyun_ehpc_invocation_node_status", &of_command).count();
            assert_eq!(count, 3, "{limit}: of all nodes or of none");
        }
        assert_eq!(use_of.targets_above, above, "{limit}");
        assert_eq!(
            polled(&page) + page.sum(DROPPED, &[]) as usize,
            all,
            "what is not shown is told: {limit}"
        );
    }
    for (kind, ..) in THINGS {
        let has_nodes = kind == "ehpc_invocations";
        for stage in [
            (kind, false, false, false),
            (kind, has_nodes, true, false),
            (kind, has_nodes, true, true),
        ] {
            assert!(stages.contains(&stage), "{stage:?} of {stages:?}");
        }
    }
    assert!(stages.contains(&("ehpc_invocations", true, false, false)));
}

#[test]
fn the_whole_page_stays_within_its_limit_wherever_that_is_not_below_the_floor() {
    let mut harness = harness();
    let whole = limited(&mut harness, 100_000, 100_000);
    let all = polled(&whole);
    let floor_lines = floor(&whole);
    let least = polled(&limited(&mut harness, 100_000, 1));
    assert_eq!(harness.exposition.series(harness.moment()).0.floor, least);
    for limit in (least - 40..=all + 5).rev().chain(least - 40..=all + 5) {
        let page = limited(&mut harness, 100_000, limit);
        let shown = polled(&page);
        assert!(shown <= limit.max(least), "{shown} of {limit}");
        assert_eq!(shown == all, limit >= all, "{limit}: what fits is shown");
        assert_eq!(floor(&page), floor_lines, "{limit}");
        assert_eq!(
            shown + page.sum(DROPPED, &[]) as usize,
            all,
            "{limit}: what is not shown is told"
        );
        let use_of = harness.exposition.series(harness.moment()).0;
        assert_eq!((use_of.shown, use_of.limit, use_of.floor), (shown, limit, least));
        let dropped = |reason| page.sum(DROPPED, &[("reason", reason)]);
        // Whichever target they belong to.
        let ended = THINGS.map(|thing| assert_order(&harness, &page, thing).1);
        assert!(
            dropped("open") == 0.0 || ended == [0; 3],
            "{limit}: an ended one is shown, and an open one is not"
        );
        let nodes = page.all("aliyun_ehpc_invocation_node_status", &[]).count();
        assert!(dropped("open") + dropped("ended") == 0.0 || nodes == 0, "{limit}");
    }
}

#[test]
fn targets_share_the_page_evenly_whoever_was_read_first() {
    let mut harness = Harness::scripted(worlds::servers(8, 40));
    harness.run_until(100);
    for (limit, least) in [(700, 0), (1500, 8), (2500, 20)] {
        let page = limited(&mut harness, 100_000, limit);
        let of = |number: usize| {
            let server = format!("s{number:02}");
            page.all("aliyun_swas_invocation_info", &[("instance_id", &*server)]).count()
        };
        let counts: Vec<usize> = (0..8).map(of).collect();
        let fewest = *counts.iter().min().unwrap();
        let most = *counts.iter().max().unwrap();
        assert!(most - fewest <= 1 && fewest >= least, "{limit}: {counts:?}");
        assert!(
            polled(&page) <= limit && polled(&page) > limit * 7 / 10,
            "{} of {limit}",
            polled(&page)
        );
    }
}

#[test]
fn one_command_on_a_hundred_thousand_nodes_shows_its_counts_and_no_node() {
    let mut world = World::empty();
    worlds::add_cluster(&mut world, "c");
    world.add_command("c", worlds::command("k0", 100_000, 5, 100_000)).unwrap();
    let mut harness = Harness::scripted(world);
    harness.config.clusters[0].commands.per_node = true;
    harness.config.metrics.max_series = 20_000;
    harness.config.metrics.max_series_per_target = 1_000;
    harness.apply(harness.config.clone());
    harness.run_until(31);
    let text = harness.page(Format::Text);
    assert!(text.len() < 100_000, "{} bytes", text.len());
    let page = parse(&text);
    assert_eq!(page.all("aliyun_ehpc_invocation_node_status", &[]).count(), 0);
    assert_eq!(
        page.value("aliyun_ehpc_invocation_nodes", &[("status", "Running")]),
        Some(100_000.0)
    );
    assert_eq!(page.value("aliyun_ehpc_invocation_status", &[]), Some(1.0));
    assert_eq!(
        page.value(DROPPED, &[("kind", "ehpc_invocations"), ("reason", "per_node")]),
        Some(100_000.0)
    );
    assert_eq!(page.sum(DROPPED, &[]), 100_000.0);
    assert!(polled(&page) < 1_000);
}

/// A server's reading with this many invocations, the newest of which is open.
fn invocations(server: usize, invocations: usize) -> Reading {
    let invocation = |number: usize| Invocation {
        id: format!("t-hz{server:05}-{number:02}").into(),
        command_name: "backup".into(),
        command_type: CommandType::RunShellScript,
        status: if number == 0 { InvocationStatus::Running } else { InvocationStatus::Success },
        record: None,
        created: Some(start()),
    };
    let seen = (0..invocations).map(|number| SeenSwasInvocation {
        invocation: Arc::new(invocation(number)),
        result: None,
        timing: None,
    });
    Reading::SwasInvocations(SwasInvocationsReading {
        invocations: seen.collect(),
        ..SwasInvocationsReading::default()
    })
}

#[test]
fn ten_thousand_servers_with_full_windows_keep_to_the_limit_all_the_while_they_are_read() {
    const SERVERS: usize = 10_000;
    let metrics = Metrics { max_series: 350_000, ..Metrics::default() };
    let target = |number: usize| Target {
        id: id(Kind::SwasInvocations, &format!("s{number:05}")),
        account: "a".into(),
        quota_group: "a".into(),
        region: "r".into(),
        name: "".into(),
        scope: Scope::SwasInvocations(InvocationWindow::default()),
    };
    let store = Arc::new(Store::default());
    let exposition = Exposition::new(Arc::clone(&store), metrics);
    store.retarget((0..SERVERS).map(target).map(Arc::new).collect());
    let at = |second| Moment { wall: start() + seconds(second), boot: seconds(second) };
    let mut most = 0;
    for number in 0..SERVERS {
        store.record(&target(number).id, invocations(number, 50), at(0));
        let end = PollEnd {
            failure: None,
            lists: ListState::default(),
            ended: at(0),
            took: Duration::ZERO,
            next: start(),
            stale_after: Duration::from_secs(600),
        };
        store.poll_ended(&target(number).id, end);
        exposition.update(at(0));
        if number % 2_000 == 1_999 {
            let page = exposition.page(at(1));
            assert!(page.series.shown <= 350_000, "{:?}", page.series);
            most = most.max(page.text_bytes());
        }
    }
    let series = exposition.page(at(1)).series;
    // Each has its floor and its open invocation (three series here), and an equal share of the
    // rest.
    assert!(series.floor < 300_000 && series.shown >= series.floor + 3 * SERVERS, "{series:?}");
    assert!(most < 150_000_000, "{most} bytes of text");
}
