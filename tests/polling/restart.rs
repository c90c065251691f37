//! An exporter that stops and starts again on its state.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aliyun_task_exporter::action::Product;
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::model::{InvocationStatus, InvokeStatus, TaskStatus};
use aliyun_task_exporter::sim::{ListOrder, Settings, World};
use aliyun_task_exporter::target::{Findings, Kind, TargetId, targets};

use crate::support::harness::{Harness, Kill, id};
use crate::support::page::{Page, parse};
use crate::support::truth::{assert_shown, finished};
use crate::support::worlds::{self, command, invocation, task};
use crate::support::{seconds, start};

/// A cluster, `c`, and a server, `s00`, each with things that had ended before the first poll.
fn world() -> World {
    let mut world = worlds::servers(1, 3);
    worlds::add_cluster(&mut world, "c");
    world.add_task("c", task("old", -500, -400)).unwrap();
    world.add_command("c", command("old", 2, -500, -400)).unwrap();
    world
}

/// Adds a task, a command and an invocation that run from one second to another.
fn add(world: &mut World, id: &str, from: i64, to: i64) {
    world.add_task("c", task(id, from, to)).unwrap();
    world.add_command("c", command(id, 2, from, to)).unwrap();
    world.add_invocation("s00", invocation(id, from, to, 3)).unwrap();
}

fn harness(change: impl FnOnce(&mut World)) -> Harness {
    let mut world = world();
    change(&mut world);
    Harness::scripted(world).with_state()
}

fn kinds() -> [TargetId; 3] {
    [id(Kind::EhpcTasks, "c"), id(Kind::EhpcInvocations, "c"), id(Kind::SwasInvocations, "s00")]
}

/// Counted ends of tasks, commands and invocations.
fn counts(harness: &Harness) -> [u64; 3] {
    kinds().map(|id| finished(&harness.reading(&id)).values().sum())
}

fn page(harness: &Harness) -> Page {
    parse(&harness.page(Format::Text))
}

/// Requests for one thing: the operation and the id.
fn asked_by_id(harness: &Harness) -> Vec<String> {
    let by_id = |operation: &str| {
        harness.of(operation).into_iter().map(|made| format!("{:?}", made.operation))
    };
    let tasks = by_id("ListTasks").filter(|call| call.contains("Id("));
    tasks.chain(by_id("ListInvocationResults")).chain(by_id("DescribeInvocationResult")).collect()
}

#[test]
fn what_was_open_and_ended_while_down_is_counted_once() {
    let mut harness = harness(|world| add(world, "a", 5, 100));
    harness.run_until(60);
    assert_eq!(counts(&harness), [0, 0, 0]);
    harness.restart(120);
    harness.run_for(5);
    assert_eq!(counts(&harness), [1, 1, 1]);
    harness.restart(0);
    harness.run_for(5);
    harness.run_for(3000);
    assert_eq!(counts(&harness), [1, 1, 1]);
    assert_eq!(harness.invocations("s00").finished[&InvocationStatus::Failed], 1);
    assert_eq!(harness.commands("c").finished[&InvokeStatus::Finished], 1);
    assert_shown(&harness, "all of it");
}

#[test]
fn what_began_and_ended_while_down_is_counted_once_and_old_things_never() {
    let mut harness = harness(|world| {
        add(world, "a", 100, 130);
        add(world, "b", 110, 140);
    });
    harness.run_until(60);
    harness.restart(240);
    harness.run_for(5);
    assert_eq!(counts(&harness), [2, 2, 2]);
    for _ in 0..3 {
        harness.restart(2000);
        harness.run_for(40);
        assert_eq!(counts(&harness), [2, 2, 2]);
    }
    let tasks = harness.tasks("c");
    assert!(tasks.durations.is_empty(), "it is not known how long they took");
    assert!(tasks.tasks.iter().all(|seen| seen.finished.is_none()), "their end was not seen");
}

#[test]
fn what_was_open_is_found_however_far_down_the_list_it_has_gone() {
    for order in [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering] {
        let mut harness = harness(|world| {
            add(world, "a", 5, 100);
            for number in 0..130 {
                let task = task(&format!("n{number}"), 90, 95);
                let invocation = invocation(&format!("n{number}"), 90, 95, 0);
                world.add_task("c", task).unwrap();
                world.add_invocation("s00", invocation).unwrap();
            }
        });
        harness.sim.settings_mut().order = order;
        harness.run_until(60);
        harness.restart(200);
        harness.run_for(31);
        let [tasks, commands, invocations] = counts(&harness);
        assert_eq!((tasks, commands, invocations), (131, 1, 131), "{order:?}");
        harness.restart(2000);
        harness.run_for(31);
        assert_eq!(counts(&harness), [131, 1, 131], "{order:?}");
    }
}

#[test]
fn what_vanished_while_down_is_lost_and_told_once() {
    let mut harness = harness(|world| add(world, "a", 5, 10_000));
    harness.run_until(60);
    harness.sim.world_mut().remove("a");
    harness.restart(60);
    // A kill after each poll: it is asked for again at once each time, which does not make the
    // search a long one.
    for _ in 0..12 {
        harness.run_for(16);
        harness.restart(1);
    }
    assert!(harness.notices.is_empty());
    harness.run_for(700);
    for target in kinds() {
        assert_eq!(harness.lost(&target), BTreeSet::from(["a".to_owned()]), "{target:?}");
        assert!(
            !harness
                .scheduler()
                .reading(&target)
                .is_some_and(|reading| format!("{reading:?}").contains("\"a\""))
        );
    }
    assert_eq!(harness.notices.len(), 3, "{:?}", harness.notices);
    assert_eq!(counts(&harness), [0, 0, 0]);
}

#[test]
fn what_had_ended_is_shown_again_and_not_asked_for_again() {
    let mut harness = harness(|world| add(world, "a", 5, 40));
    harness.run_until(100);
    // Texts about failures are never saved.
    let known = |harness: &Harness| {
        let mut invocations = harness.invocations("s00");
        for seen in &mut invocations.invocations {
            if let Some(result) = &mut seen.result {
                Arc::make_mut(result).error_text = None;
            }
        }
        (harness.tasks("c"), harness.commands("c"), invocations)
    };
    let before = known(&harness);
    assert!(before.2.invocations.iter().all(|seen| seen.result.is_some()));
    let exit_codes = |page: &Page| {
        page.all("aliyun_swas_invocation_exit_code", &[]).cloned().collect::<Vec<_>>()
    };
    let shown = exit_codes(&page(&harness));
    assert_eq!(shown.len(), 4);
    harness.made.clear();
    for _ in 0..3 {
        harness.restart(30);
        assert_eq!(exit_codes(&page(&harness)), shown, "at once");
        assert_eq!(known(&harness), before);
        harness.run_for(120);
        assert_eq!(known(&harness), before);
    }
    assert!(!harness.made.is_empty());
    assert_eq!(asked_by_id(&harness), [""; 0]);
}

#[test]
fn counters_go_on_from_where_they_were() {
    let mut harness = harness(|world| {
        for number in 0..40 {
            add(world, &format!("a{number}"), 10 + 40 * number, 50 + 40 * number);
        }
    });
    harness.run_until(30);
    let mut last = [0.0; 3];
    for down in [0, 1, 20, 0, 95, 200, 7, 3] {
        harness.restart(down);
        let page = page(&harness);
        let now = [
            page.sum("aliyun_ehpc_tasks_finished_total", &[]),
            page.sum("aliyun_ehpc_invocations_finished_total", &[]),
            page.sum("aliyun_swas_invocations_finished_total", &[]),
        ];
        assert_eq!(now, last, "they stand where they stood");
        harness.run_for(130);
        last = counts(&harness).map(|count| count as f64);
    }
    harness.run_until(4000);
    assert_eq!(counts(&harness), [40, 40, 40]);
}

#[test]
fn a_restored_reading_has_its_age_and_is_never_shown_as_younger() {
    let mut harness = harness(|world| add(world, "a", 5, 10_000));
    harness.run_until(300);
    let page_before = page(&harness);
    harness.fault(r#"{"fault": {"kind": "latency", "ms": 5000}}"#);
    harness.restart(45);
    harness.run_for(1);
    for target in kinds() {
        let labels = [("kind", target.kind.label()), ("target", &*target.id)];
        let name = "aliyun_task_exporter_target_last_success_timestamp_seconds";
        let before = page_before.value(name, &labels).unwrap();
        let after = page(&harness).value(name, &labels).unwrap();
        assert!(after <= before && after > before - 60.0, "{target:?}: {before} then {after}");
        assert_eq!(
            page(&harness).value("aliyun_task_exporter_target_up", &labels),
            None,
            "no poll has ended yet"
        );
    }
    assert_eq!(
        page(&harness)
            .value("aliyun_ehpc_task_status", &[("task_id", "a"), ("status", "Processing")]),
        Some(1.0)
    );
}

#[test]
fn polls_that_fail_in_part_have_not_succeeded_after_a_restart_either() {
    let mut harness = harness(|world| add(world, "a", 5, 100));
    harness.run_until(60);
    let fault = r#"{"kind": "error", "status": 500, "code": "InternalError"}"#;
    harness.fault(&format!(
        r#"{{"match": {{"action": "DescribeInvocationResult"}}, "fault": {fault}}}"#
    ));
    harness.run_until(500);
    let labels = [("kind", "swas_invocations"), ("target", "s00")];
    let last_success = |harness: &Harness| {
        page(harness)
            .value("aliyun_task_exporter_target_last_success_timestamp_seconds", &labels)
            .expect("a success")
    };
    let before = last_success(&harness);
    assert!(
        before < start().as_second() as f64 + 150.0 && counts(&harness)[2] == 1,
        "the list is read, the result is not"
    );
    harness.restart(5);
    let after = last_success(&harness);
    assert!(after <= before && after > before - 60.0, "{before} then {after}");
}

#[test]
fn a_reading_that_has_grown_stale_is_not_shown_again_but_its_counts_are() {
    let mut harness = harness(|world| {
        add(world, "a", 5, 40);
        add(world, "b", 5, 10_000);
    });
    harness.run_until(100);
    let stale_after = harness.config.poll.stale_after.as_secs() as i64;
    harness.fault(r#"{"fault": {"kind": "outage"}}"#);
    harness.restart(stale_after - 100);
    assert_eq!(page(&harness).all("aliyun_ehpc_task_status", &[]).count(), 3);
    harness.restart(200);
    harness.run_for(60);
    let page = page(&harness);
    for gauge in [
        "aliyun_ehpc_task_status",
        "aliyun_ehpc_invocation_status",
        "aliyun_swas_invocation_exit_code",
    ] {
        assert_eq!(page.all(gauge, &[]).count(), 0, "{gauge}");
    }
    assert_eq!(page.sum("aliyun_ehpc_tasks_finished_total", &[]), 1.0);
    assert_eq!(page.sum("aliyun_swas_invocations_finished_total", &[]), 1.0);
    assert_eq!(page.sum("aliyun_task_exporter_target_up", &[]), 0.0);
    harness.sim.clear_faults();
    harness.run_for(120);
    assert_eq!(counts(&harness), [1, 1, 1]);
}

#[test]
fn a_target_that_is_removed_and_put_back_goes_on_from_where_it_was() {
    for restarts in [false, true] {
        let mut harness = harness(|world| {
            add(world, "a", 5, 40);
            add(world, "b", 5, 200);
            add(world, "c", 150, 180);
        });
        harness.run_until(100);
        assert_eq!(counts(&harness), [1, 1, 1]);
        let with = harness.config.clone();
        let mut without = harness.config.clone();
        without.clusters.clear();
        without.servers.clear();
        harness.apply(without);
        assert!(targets(&harness.config, &Findings::new()).is_empty());
        harness.run_for(100);
        if restarts {
            harness.restart(10);
        }
        harness.run_until(300);
        harness.made.clear();
        harness.apply(with);
        harness.run_for(10);
        assert_eq!(counts(&harness), [3, 3, 3], "restarts: {restarts}");
        assert!(
            asked_by_id(&harness).iter().all(|call| !call.contains("\"a\"")),
            "{:?}",
            asked_by_id(&harness)
        );
    }
}

#[test]
fn without_a_state_what_has_ended_at_first_sight_is_not_counted() {
    let mut harness = harness(|world| {
        add(world, "a", 5, 40);
        add(world, "b", 5, 400);
    });
    harness.run_until(100);
    assert_eq!(counts(&harness), [1, 1, 1]);
    harness.lose_state();
    harness.restart(100);
    assert!(harness.view(&kinds()[0]).reading.is_none());
    harness.run_for(31);
    assert_eq!(counts(&harness), [0, 0, 0]);
    harness.run_until(600);
    assert_eq!(counts(&harness), [1, 1, 1]);
}

#[test]
fn a_kill_at_any_commit_loses_no_end_and_counts_none_twice() {
    for kill in [Kill::BeforeCommit, Kill::AfterCommit, Kill::AfterPublish] {
        for commits in 1..=24 {
            let mut harness = harness(|world| {
                for number in 0..4 {
                    add(world, &format!("a{number}"), 5 + 3 * number, 40 + 20 * number);
                }
                add(world, "quick", 41, 43);
            });
            harness.config.poll.history_interval = Duration::from_secs(90);
            harness.apply(harness.config.clone());
            harness.run_until(2);
            harness.kill_at(kill, commits);
            harness.run_until(300);
            assert!(harness.is_dead, "{kill:?}, {commits}");
            harness.restart(3);
            harness.run_for(200);
            assert_eq!(counts(&harness), [5, 5, 5], "{kill:?} at commit {commits}");
            assert_eq!(harness.lost(&kinds()[0]).len(), 0);
        }
    }
}

#[test]
fn a_kill_between_a_reading_and_its_details_leaves_them_to_be_read() {
    let mut harness = harness(|_| {});
    harness.sim.settings_mut().latency = Duration::from_millis(400);
    harness.run_until(1);
    assert_eq!(
        harness.invocations("s00").invocations.iter().filter(|seen| seen.result.is_some()).count(),
        0,
        "the list is read first"
    );
    harness.made.clear();
    harness.restart(0);
    harness.run_for(20);
    assert!(harness.invocations("s00").invocations.iter().all(|seen| seen.result.is_some()));
    let asked = asked_by_id(&harness);
    assert_eq!(asked.len(), asked.iter().collect::<BTreeSet<_>>().len(), "{asked:?}");
}

#[test]
fn a_living_world_that_many_exporters_watch_one_after_another_is_shown_as_it_is() {
    for order in [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering] {
        let settings = Settings { order, clusters: 1, servers: 1, ..Settings::default() };
        let mut harness = Harness::living(settings).with_state();
        for cluster in &mut harness.config.clusters {
            cluster.commands.discover = 100;
        }
        for server in &mut harness.config.servers {
            server.window.max_invocations = 1000;
        }
        harness.apply(harness.config.clone());
        for pause in 1..12 {
            harness.run_for(37);
            harness.restart(pause);
        }
        harness.run_for(31);
        harness.sim.freeze(harness.now);
        harness.run_for(31);
        assert_shown(&harness, &format!("{order:?}"));
    }
}

#[test]
fn a_budget_that_suffices_for_lists_alone_still_lets_what_is_missing_be_asked_for() {
    let mut harness = harness(|world| add(world, "a", 5, 300));
    harness.config.accounts[0].quotas = [(Product::Ehpc.into(), 1)].into();
    harness.apply(harness.config.clone());
    harness.run_until(200);
    assert!(harness.tasks("c").tasks.iter().any(|seen| seen.task.status.is_open()));
    harness.run_until(1800);
    assert_eq!(harness.tasks("c").finished.values().sum::<u64>(), 1);
}

#[test]
fn what_has_not_changed_is_written_once_a_minute() {
    let mut harness = harness(|world| add(world, "a", 5, 10_000));
    harness.run_until(120);
    let before = harness.writes();
    harness.run_for(600);
    let polls = harness.polled.iter().filter(|poll| poll.ended > start() + seconds(120)).count();
    let writes = harness.writes() - before;
    assert!(polls > 100 && writes <= 3 * 11, "{writes} writes in {polls} polls");
}

#[test]
fn a_task_that_ended_while_watched_keeps_the_time_of_its_end() {
    let mut harness = harness(|world| add(world, "a", 5, 40));
    harness.run_until(100);
    let before = harness.tasks("c").tasks;
    harness.restart(500);
    harness.run_for(31);
    assert_eq!(harness.tasks("c").tasks, before);
    let ended = before.iter().find(|seen| *seen.task.id == *"a").unwrap();
    assert_eq!(ended.task.status, TaskStatus::Success);
    assert!(ended.finished.is_some_and(|time| time < start() + seconds(60)));
}
