//! An exporter that ends and starts again on its state.

use std::collections::BTreeSet;
use std::time::Duration;

use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::model::{InvocationStatus, InvokeStatus, TaskStatus};
use aliyun_task_exporter::sim::{ListOrder, Settings, World};
use aliyun_task_exporter::target::{Findings, Kind, TargetId, targets};

use crate::support::page::{Page, parse};
use crate::support::rig::{Kill, Rig, id};
use crate::support::truth::{assert_shown, finished};
use crate::support::worlds::{self, command, run, task};
use crate::support::{seconds, start};

/// A cluster, `c`, and a server, `s00`, each with things that were over before anybody looked.
fn world() -> World {
    let mut world = worlds::servers(1, 3);
    worlds::add_cluster(&mut world, "c");
    world.add_task("c", task("old", -500, -400)).unwrap();
    world.add_command("c", command("old", 2, -500, -400)).unwrap();
    world
}

/// The same thing in three shapes, which lives from one second to another.
fn add(world: &mut World, id: &str, from: i64, to: i64) {
    world.add_task("c", task(id, from, to)).unwrap();
    world.add_command("c", command(id, 2, from, to)).unwrap();
    world.add_run("s00", run(id, from, to, 3)).unwrap();
}

fn rig(change: impl FnOnce(&mut World)) -> Rig {
    let mut world = world();
    change(&mut world);
    Rig::scripted(world).with_state()
}

fn kinds() -> [TargetId; 3] {
    [id(Kind::EhpcTasks, "c"), id(Kind::EhpcInvocations, "c"), id(Kind::SwasInvocations, "s00")]
}

/// Ends counted of tasks, commands and runs.
fn counts(rig: &Rig) -> [u64; 3] {
    kinds().map(|id| finished(&rig.reading(&id)).values().sum())
}

fn page(rig: &Rig) -> Page {
    parse(&rig.page(Format::Text))
}

/// Who was asked for by name: the operation and the id.
fn asked_by_id(rig: &Rig) -> Vec<String> {
    let by_id = |operation: &str| rig.of(operation).into_iter().map(|made| format!("{:?}", made.operation));
    let tasks = by_id("ListTasks").filter(|call| call.contains("Id("));
    tasks.chain(by_id("ListInvocationResults")).chain(by_id("DescribeInvocationResult")).collect()
}

#[test]
fn what_was_open_and_ended_while_down_is_counted_once() {
    let mut rig = rig(|world| add(world, "a", 5, 100));
    rig.run_until(60);
    assert_eq!(counts(&rig), [0, 0, 0]);
    rig.restart(120);
    rig.run_for(5);
    assert_eq!(counts(&rig), [1, 1, 1]);
    rig.restart(0);
    rig.run_for(5);
    rig.run_for(3000);
    assert_eq!(counts(&rig), [1, 1, 1]);
    assert_eq!(rig.runs("s00").finished[&InvocationStatus::Failed], 1);
    assert_eq!(rig.commands("c").finished[&InvokeStatus::Finished], 1);
    assert_shown(&rig, "all of it");
}

#[test]
fn what_began_and_ended_while_down_is_counted_once_and_old_things_never() {
    let mut rig = rig(|world| {
        add(world, "a", 100, 130);
        add(world, "b", 110, 140);
    });
    rig.run_until(60);
    rig.restart(240);
    rig.run_for(5);
    assert_eq!(counts(&rig), [2, 2, 2]);
    for _ in 0..3 {
        rig.restart(2000);
        rig.run_for(40);
        assert_eq!(counts(&rig), [2, 2, 2]);
    }
    let tasks = rig.tasks("c");
    assert!(tasks.durations.is_empty(), "nobody knows how long they took");
    assert!(tasks.tasks.iter().all(|seen| seen.finished.is_none()), "nobody saw them end");
}

#[test]
fn what_was_open_is_found_however_far_down_the_list_it_has_gone() {
    for order in [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering] {
        let mut rig = rig(|world| {
            add(world, "a", 5, 100);
            for number in 0..130 {
                let (task, run) = (task(&format!("n{number}"), 90, 95), run(&format!("n{number}"), 90, 95, 0));
                world.add_task("c", task).unwrap();
                world.add_run("s00", run).unwrap();
            }
        });
        rig.sim.settings_mut().order = order;
        rig.run_until(60);
        rig.restart(200);
        rig.run_for(31);
        let [tasks, commands, runs] = counts(&rig);
        assert_eq!((tasks, commands, runs), (131, 1, 131), "{order:?}");
        rig.restart(2000);
        rig.run_for(31);
        assert_eq!(counts(&rig), [131, 1, 131], "{order:?}");
    }
}

#[test]
fn what_vanished_while_down_is_lost_and_told_once() {
    let mut rig = rig(|world| add(world, "a", 5, 10_000));
    rig.run_until(60);
    rig.sim.world_mut().remove("a");
    rig.restart(60);
    // A kill after each poll: it is looked for again at once each time, and that is no long search.
    for _ in 0..12 {
        rig.run_for(16);
        rig.restart(1);
    }
    assert!(rig.notices.is_empty());
    rig.run_for(700);
    for target in kinds() {
        assert_eq!(rig.lost(&target), BTreeSet::from(["a".to_owned()]), "{target:?}");
        assert!(!rig.scheduler.reading(&target).is_some_and(|reading| format!("{reading:?}").contains("\"a\"")));
    }
    assert_eq!(rig.notices.len(), 3, "{:?}", rig.notices);
    assert_eq!(counts(&rig), [0, 0, 0]);
}

#[test]
fn what_had_ended_is_shown_again_and_not_asked_for_again() {
    let mut rig = rig(|world| add(world, "a", 5, 40));
    rig.run_until(100);
    let before = (rig.tasks("c"), rig.commands("c"), rig.runs("s00"));
    assert!(before.2.runs.iter().all(|seen| seen.result.is_some()));
    let exit_codes = |page: &Page| page.all("aliyun_swas_invocation_exit_code", &[]).cloned().collect::<Vec<_>>();
    let shown = exit_codes(&page(&rig));
    assert_eq!(shown.len(), 4);
    rig.made.clear();
    for _ in 0..3 {
        rig.restart(30);
        assert_eq!(exit_codes(&page(&rig)), shown, "at once");
        assert_eq!((rig.tasks("c"), rig.commands("c"), rig.runs("s00")), before);
        rig.run_for(120);
        assert_eq!((rig.tasks("c"), rig.commands("c"), rig.runs("s00")), before);
    }
    assert!(!rig.made.is_empty());
    assert_eq!(asked_by_id(&rig), [""; 0]);
}

#[test]
fn counters_go_on_from_where_they_were() {
    let mut rig = rig(|world| {
        for number in 0..40 {
            add(world, &format!("a{number}"), 10 + 40 * number, 50 + 40 * number);
        }
    });
    rig.run_until(30);
    let mut last = [0.0; 3];
    for down in [0, 1, 20, 0, 95, 200, 7, 3] {
        rig.restart(down);
        let page = page(&rig);
        let now = [
            page.sum("aliyun_ehpc_tasks_finished_total", &[]),
            page.sum("aliyun_ehpc_invocations_finished_total", &[]),
            page.sum("aliyun_swas_invocations_finished_total", &[]),
        ];
        assert_eq!(now, last, "they stand where they stood");
        rig.run_for(130);
        last = counts(&rig).map(|count| count as f64);
    }
    rig.run_until(4000);
    assert_eq!(counts(&rig), [40, 40, 40]);
}

#[test]
fn a_restored_reading_has_its_age_and_is_never_shown_as_younger() {
    let mut rig = rig(|world| add(world, "a", 5, 10_000));
    rig.run_until(300);
    let page_before = page(&rig);
    rig.fault(r#"{"fault": {"kind": "latency", "ms": 5000}}"#);
    rig.restart(45);
    rig.run_for(1);
    for target in kinds() {
        let labels = [("kind", target.kind.label()), ("target", &*target.id)];
        let name = "aliyun_exporter_target_last_success_timestamp_seconds";
        let (before, after) = (page_before.value(name, &labels).unwrap(), page(&rig).value(name, &labels).unwrap());
        assert!(after <= before && after > before - 60.0, "{target:?}: {before} then {after}");
        assert_eq!(page(&rig).value("aliyun_exporter_target_up", &labels), None, "no poll has ended yet");
    }
    assert_eq!(page(&rig).value("aliyun_ehpc_task_status", &[("task_id", "a"), ("status", "Processing")]), Some(1.0));
}

#[test]
fn polls_that_fail_in_part_have_not_succeeded_after_a_restart_either() {
    let mut rig = rig(|world| add(world, "a", 5, 100));
    rig.run_until(60);
    let fault = r#"{"kind": "error", "status": 500, "code": "InternalError"}"#;
    rig.fault(&format!(r#"{{"match": {{"action": "DescribeInvocationResult"}}, "fault": {fault}}}"#));
    rig.run_until(500);
    let labels = [("kind", "swas_invocations"), ("target", "s00")];
    let last_success = |rig: &Rig| {
        page(rig).value("aliyun_exporter_target_last_success_timestamp_seconds", &labels).expect("a success")
    };
    let before = last_success(&rig);
    assert!(before < start().as_second() as f64 + 150.0 && counts(&rig)[2] == 1, "the list is read, the result is not");
    rig.restart(5);
    let after = last_success(&rig);
    assert!(after <= before && after > before - 60.0, "{before} then {after}");
}

#[test]
fn a_reading_that_has_grown_stale_is_not_shown_again_but_its_counts_are() {
    let mut rig = rig(|world| {
        add(world, "a", 5, 40);
        add(world, "b", 5, 10_000);
    });
    rig.run_until(100);
    let stale_after = rig.config.poll.stale_after.as_secs() as i64;
    rig.fault(r#"{"fault": {"kind": "outage"}}"#);
    rig.restart(stale_after - 100);
    assert_eq!(page(&rig).all("aliyun_ehpc_task_status", &[]).count(), 3);
    rig.restart(200);
    rig.run_for(60);
    let page = page(&rig);
    for gauge in ["aliyun_ehpc_task_status", "aliyun_ehpc_invocation_status", "aliyun_swas_invocation_exit_code"] {
        assert_eq!(page.all(gauge, &[]).count(), 0, "{gauge}");
    }
    assert_eq!(page.sum("aliyun_ehpc_tasks_finished_total", &[]), 1.0);
    assert_eq!(page.sum("aliyun_swas_invocations_finished_total", &[]), 1.0);
    assert_eq!(page.sum("aliyun_exporter_target_up", &[]), 0.0);
    rig.sim.clear_faults();
    rig.run_for(120);
    assert_eq!(counts(&rig), [1, 1, 1]);
}

#[test]
fn a_target_that_is_removed_and_put_back_goes_on_from_where_it_was() {
    for restarts in [false, true] {
        let mut rig = rig(|world| {
            add(world, "a", 5, 40);
            add(world, "b", 5, 200);
            add(world, "c", 150, 180);
        });
        rig.run_until(100);
        assert_eq!(counts(&rig), [1, 1, 1]);
        let (with, mut without) = (rig.config.clone(), rig.config.clone());
        without.clusters.clear();
        without.servers.clear();
        rig.apply(without);
        assert!(targets(&rig.config, &Findings::new()).is_empty());
        rig.run_for(100);
        if restarts {
            rig.restart(10);
        }
        rig.run_until(300);
        rig.made.clear();
        rig.apply(with);
        rig.run_for(10);
        assert_eq!(counts(&rig), [3, 3, 3], "restarts: {restarts}");
        assert!(asked_by_id(&rig).iter().all(|call| !call.contains("\"a\"")), "{:?}", asked_by_id(&rig));
    }
}

#[test]
fn without_a_state_what_has_ended_at_first_sight_is_not_counted() {
    let mut rig = rig(|world| {
        add(world, "a", 5, 40);
        add(world, "b", 5, 400);
    });
    rig.run_until(100);
    assert_eq!(counts(&rig), [1, 1, 1]);
    rig.lose_state();
    rig.restart(100);
    assert!(rig.view(&kinds()[0]).reading.is_none());
    rig.run_for(31);
    assert_eq!(counts(&rig), [0, 0, 0]);
    rig.run_until(600);
    assert_eq!(counts(&rig), [1, 1, 1]);
}

#[test]
fn a_kill_at_any_commit_loses_no_end_and_counts_none_twice() {
    for kill in [Kill::BeforeCommit, Kill::AfterCommit, Kill::AfterPublish] {
        for commits in 1..=24 {
            let mut rig = rig(|world| {
                for number in 0..4 {
                    add(world, &format!("a{number}"), 5 + 3 * number, 40 + 20 * number);
                }
                add(world, "quick", 41, 43);
            });
            rig.config.poll.history_interval = Duration::from_secs(90);
            rig.apply(rig.config.clone());
            rig.run_until(2);
            rig.kill_at(kill, commits);
            rig.run_until(300);
            assert!(rig.is_dead, "{kill:?}, {commits}");
            rig.restart(3);
            rig.run_for(200);
            assert_eq!(counts(&rig), [5, 5, 5], "{kill:?} at commit {commits}");
            assert_eq!(rig.lost(&kinds()[0]).len(), 0);
        }
    }
}

#[test]
fn a_kill_between_a_reading_and_its_details_leaves_them_to_be_read() {
    let mut rig = rig(|_| {});
    rig.sim.settings_mut().latency = Duration::from_millis(400);
    rig.run_until(1);
    assert_eq!(rig.runs("s00").runs.iter().filter(|seen| seen.result.is_some()).count(), 0, "the list is read first");
    rig.made.clear();
    rig.restart(0);
    rig.run_for(20);
    assert!(rig.runs("s00").runs.iter().all(|seen| seen.result.is_some()));
    let asked = asked_by_id(&rig);
    assert_eq!(asked.len(), asked.iter().collect::<BTreeSet<_>>().len(), "{asked:?}");
}

#[test]
fn a_living_world_that_many_exporters_watch_one_after_another_is_shown_as_it_is() {
    for order in [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering] {
        let settings = Settings { order, clusters: 1, servers: 1, ..Settings::default() };
        let mut rig = Rig::living(settings).with_state();
        rig.config.clusters.iter_mut().for_each(|cluster| cluster.commands.discover = 100);
        rig.config.servers.iter_mut().for_each(|server| server.window.max_invocations = 1000);
        rig.apply(rig.config.clone());
        for pause in 1..12 {
            rig.run_for(37);
            rig.restart(pause);
        }
        rig.run_for(31);
        rig.sim.freeze(rig.now);
        rig.run_for(31);
        assert_shown(&rig, &format!("{order:?}"));
    }
}

#[test]
fn a_budget_that_suffices_for_lists_alone_still_lets_what_is_missing_be_asked_for() {
    let mut rig = rig(|world| add(world, "a", 5, 300));
    rig.config.accounts[0].quotas = [(("EHPC".into(), None), 1)].into();
    rig.apply(rig.config.clone());
    rig.run_until(200);
    assert!(rig.tasks("c").tasks.iter().any(|seen| seen.task.status.is_open()));
    rig.run_until(1800);
    assert_eq!(rig.tasks("c").finished.values().sum::<u64>(), 1);
}

#[test]
fn what_has_not_changed_is_written_once_a_minute() {
    let mut rig = rig(|world| add(world, "a", 5, 10_000));
    rig.run_until(120);
    let before = rig.writes();
    rig.run_for(600);
    let polls = rig.polled.iter().filter(|poll| poll.ended > start() + seconds(120)).count();
    let writes = rig.writes() - before;
    assert!(polls > 100 && writes <= 3 * 11, "{writes} writes in {polls} polls");
}

#[test]
fn a_task_that_ended_while_watched_keeps_the_time_of_its_end() {
    let mut rig = rig(|world| add(world, "a", 5, 40));
    rig.run_until(100);
    let before = rig.tasks("c").tasks;
    rig.restart(500);
    rig.run_for(31);
    assert_eq!(rig.tasks("c").tasks, before);
    let ended = before.iter().find(|seen| *seen.task.id == *"a").unwrap();
    assert_eq!(ended.task.status, TaskStatus::Success);
    assert!(ended.finished.is_some_and(|time| time < start() + seconds(60)));
}
