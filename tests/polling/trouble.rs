//! Failures and their consequences: retries, pauses, kept values.

use aliyun_task_exporter::config::Signature;
use aliyun_task_exporter::model::{Reason, TaskStatus};
use aliyun_task_exporter::poll::Notice;
use aliyun_task_exporter::sim::{Settings, World};
use aliyun_task_exporter::target::{Kind, TargetId};
use jiff::SignedDuration;

use crate::support::harness::{Harness, id};
use crate::support::page::parse;
use crate::support::worlds::{self, add_cluster, add_server};
use crate::support::{seconds, start};
use aliyun_task_exporter::exposition::Format;

fn tasks_of(cluster: &str) -> TargetId {
    id(Kind::EhpcTasks, cluster)
}

/// A cluster with one running task, polled once without trouble.
pub(super) fn one_task() -> Harness {
    let mut harness = Harness::scripted(worlds::one_task());
    harness.config.clusters[0].commands.discover = 0;
    harness.apply(harness.config.clone());
    harness.run_until(1);
    assert_eq!(harness.tasks("c").tasks.len(), 1);
    harness.made.clear();
    harness.polled.clear();
    harness
}

/// The outcome of each attempt.
fn outcomes(harness: &Harness) -> Vec<&'static str> {
    harness.made.iter().map(|made| made.failure.map_or("ok", Reason::label)).collect()
}

fn up(harness: &Harness, target: &TargetId) -> Option<f64> {
    let page = parse(&harness.page(Format::Text));
    page.value(
        "aliyun_task_exporter_target_up",
        &[("kind", target.kind.label()), ("target", &target.id)],
    )
}

#[test]
fn trouble_that_passes_is_retried_inside_the_poll_and_each_attempt_counts() {
    for fault in [
        r#"{"kind": "error", "status": 406, "code": "DbError"}"#,
        r#"{"kind": "error", "status": 500, "code": "InternalError"}"#,
        r#"{"kind": "error", "status": 503, "code": "ServiceUnavailable"}"#,
        r#"{"kind": "html"}"#,
        r#"{"kind": "reset"}"#,
        r#"{"kind": "truncated"}"#,
        r#"{"kind": "outage"}"#,
    ] {
        let mut harness = one_task();
        harness.fault(&format!(r#"{{"fault": {fault}, "times": 2}}"#));
        harness.run_until(15);
        assert_eq!(harness.made.iter().filter(|made| made.failure.is_some()).count(), 2, "{fault}");
        assert_eq!(harness.polled.len(), 1, "{fault}");
        assert_eq!(
            (&harness.polled[0].failure, up(&harness, &tasks_of("c"))),
            (&None, Some(1.0)),
            "{fault}"
        );
        assert_eq!(harness.made.len(), 3, "{fault}");
    }
}

#[test]
fn trouble_that_stays_fails_the_poll_after_four_attempts_and_the_next_tick_tries_again() {
    let mut harness = one_task();
    harness.fault(r#"{"fault": {"kind": "error", "status": 406, "code": "EcsError"}, "schedule": {"to": 25}}"#);
    harness.run_until(19);
    assert_eq!(outcomes(&harness), ["service"; 4]);
    let failure = harness.failure(&tasks_of("c")).unwrap();
    assert_eq!(failure.reason, Reason::Service);
    assert!(failure.message.starts_with("ListTasks: EcsError: "), "{}", failure.message);
    assert_eq!(harness.tasks("c").tasks.len(), 1, "the last reading is kept");
    harness.run_until(35);
    assert_eq!((harness.failure(&tasks_of("c")), up(&harness, &tasks_of("c"))), (None, Some(1.0)));
}

#[test]
fn a_throttled_call_is_never_retried_its_operation_rests_until_the_next_minute_and_values_are_kept()
{
    let mut harness = one_task();
    // The world starts half a minute into a minute, so the next one begins at second 30.
    harness.fault(r#"{"fault": {"kind": "throttle"}, "times": 1}"#);
    harness.run_until(29);
    assert_eq!(outcomes(&harness), ["throttled"]);
    let failure = harness.failure(&tasks_of("c")).unwrap();
    assert_eq!((failure.reason, up(&harness, &tasks_of("c"))), (Reason::Throttled, Some(0.0)));
    let page = parse(&harness.page(Format::Text));
    let failing = page
        .value("aliyun_task_exporter_target_failing", &[("target", "c"), ("reason", "throttled")]);
    assert_eq!(failing, Some(1.0));
    assert_eq!(page.all("aliyun_ehpc_task_status", &[("status", "Processing")]).count(), 1);
    harness.run_until(31);
    assert_eq!(outcomes(&harness), ["throttled", "ok"]);
    assert_eq!(harness.made[1].sent, start() + seconds(30));
    assert_eq!(up(&harness, &tasks_of("c")), Some(1.0));
}

#[test]
fn a_throttled_operation_rests_for_as_long_as_the_headers_say() {
    for header in ["retry_after_ms", "time_left_ms"] {
        let mut harness = one_task();
        harness.fault(&format!(
            r#"{{"fault": {{"kind": "throttle", "{header}": 45000}}, "times": 1}}"#
        ));
        harness.run_until(80);
        assert_eq!(outcomes(&harness)[..2], ["throttled", "ok"]);
        assert_eq!(harness.made[1].sent, harness.made[0].sent + seconds(45), "{header}");
    }
}

#[test]
fn a_used_nonce_is_tried_again_once_with_a_new_one() {
    let mut harness = one_task();
    // Only the second use of this nonce is refused.
    harness.stuck_nonces = 2;
    harness.run_until(25);
    assert_eq!(outcomes(&harness), ["ok", "service", "ok"]);
    assert!(harness.polled.iter().all(|poll| poll.failure.is_none()));
    harness.fault(
        r#"{"fault": {"kind": "error", "status": 400, "code": "SignatureNonceUsed"}, "times": 2}"#,
    );
    harness.run_until(35);
    assert_eq!(outcomes(&harness)[3..], ["service", "service"], "once, and not more often");
}

#[test]
fn what_does_not_pass_is_not_retried_inside_the_poll() {
    for (status, code, reason) in [
        (403, "ConflictOpt", Reason::Conflict),
        (403, "InvalidClusterStatus", Reason::Conflict),
        (407, "NotAuthorized", Reason::Permission),
        (400, "InDebt", Reason::Account),
        (400, "InvalidParams", Reason::InvalidRequest),
        (400, "InvalidTimeStamp.Expired", Reason::Clock),
        (400, "SignatureDoesNotMatch", Reason::Credentials),
    ] {
        let mut harness = one_task();
        harness.fault(&format!(
            r#"{{"fault": {{"kind": "error", "status": {status}, "code": "{code}"}}, "times": 1}}"#
        ));
        harness.run_until(15);
        assert_eq!(outcomes(&harness), [reason.label()], "{code}");
        assert_eq!(
            harness.failure(&tasks_of("c")).map(|failure| failure.reason),
            Some(reason),
            "{code}"
        );
        assert_eq!(harness.tasks("c").tasks.len(), 1, "{code}: the last reading is kept");
        harness.run_until(140);
        assert_eq!(harness.failure(&tasks_of("c")), None, "{code}: the next tick succeeds");
    }
}

#[test]
fn a_cluster_that_is_gone_says_so_with_advice_and_no_other_target_suffers() {
    let mut harness = Harness::living(Settings::default());
    harness.run_until(20);
    let gone = harness.config.clusters[0].id.clone();
    harness.sim.world_mut().remove(&gone);
    harness.run_until(60);
    for kind in [Kind::EhpcTasks, Kind::EhpcInvocations] {
        let failure = harness.failure(&id(kind, &gone)).unwrap();
        assert_eq!(failure.reason, Reason::NotFound);
        assert!(failure.message.contains("ClusterNotFound"), "{}", failure.message);
        assert!(failure.advice.contains("check the cluster id"), "{}", failure.advice);
    }
    assert!(!harness.tasks(&gone).tasks.is_empty(), "the last reading is kept until it is stale");
    let others: Vec<_> = harness
        .store
        .views(harness.moment())
        .into_iter()
        .filter(|view| *view.target.id.id != *gone)
        .collect();
    assert!(others.len() == 6 && others.iter().all(|view| view.state.up == Some(true)));
    harness.run_until(1000);
    assert!(harness.view(&tasks_of(&gone)).reading.is_none(), "then it is withdrawn");
    let asked = harness.of("ListTasks").into_iter().filter(|made| *made.target.id == *gone);
    let late = asked.filter(|made| made.sent > start() + seconds(60)).count();
    assert!(
        late <= 8,
        "what cannot succeed is asked seldom, not {late} times in a quarter of an hour"
    );
}

#[test]
fn words_that_nobody_knows_are_shown_as_unknown_and_counted() {
    let mut harness = Harness::living(Settings { clusters: 1, servers: 1, ..Settings::default() });
    harness.fault(r#"{"fault": {"kind": "unknown_words", "word": "Hibernating"}}"#);
    harness.run_until(15);
    assert!(harness.polled.iter().all(|poll| poll.failure.is_none()));
    let page = parse(&harness.page(Format::Text));
    for family in [
        "aliyun_ehpc_task_status",
        "aliyun_ehpc_invocation_status",
        "aliyun_swas_invocation_status",
    ] {
        let all = page.all(family, &[]).count();
        let unknown = page.all(family, &[("status", "unknown")]).count();
        assert!(all > 0 && all == unknown, "{family}");
    }
    assert!(!harness.page(Format::Text).contains("Hibernating"), "the word itself is no label");
    for (operation, field) in [
        ("ListTasks", "Status"),
        ("ListInvocationStatus", "InvokeStatus"),
        ("ListInvocationStatus", "InstanceInvokeStatus"),
        ("DescribeInvocations", "InvocationStatus"),
        ("DescribeInvocations", "InvokeStatus"),
    ] {
        let noted = (operation, field, "Hibernating".to_owned());
        assert!(harness.unknown.contains(&noted), "{operation} {field}");
    }
}

#[test]
fn numbers_in_strings_and_strings_as_numbers_change_nothing() {
    let mut harness = Harness::living(Settings::default());
    harness.fault(r#"{"fault": {"kind": "wrong_types"}}"#);
    harness.run_until(100);
    harness.sim.freeze(harness.now);
    harness.run_for(31);
    crate::support::truth::assert_shown(&harness, "wrong types");
}

#[test]
fn an_answer_that_cannot_be_read_names_the_operation_and_the_request() {
    for (fault, reason) in [
        (r#"{"kind": "html", "status": 200}"#, Reason::Decode),
        (r#"{"kind": "html", "status": 404}"#, Reason::Decode),
        (r#"{"kind": "html", "status": 502}"#, Reason::Service),
    ] {
        let mut harness = one_task();
        harness.fault(&format!(r#"{{"fault": {fault}}}"#));
        harness.run_until(15);
        let failure = harness.failure(&tasks_of("c")).unwrap();
        assert_eq!(failure.reason, reason, "{fault}");
        assert!(
            failure.message.starts_with("ListTasks: HTTP ")
                && failure.message.contains("request id ")
        );
        assert!(!failure.message.contains('<'), "{}", failure.message);
        assert_eq!(harness.tasks("c").tasks.len(), 1, "the last reading is kept");
    }
}

#[test]
fn a_service_that_repeats_the_first_page_for_ever_is_read_to_an_end() {
    let settings = Settings {
        clusters: 1,
        servers: 1,
        tasks: 60,
        commands: 60,
        invocations: 60,
        ..Settings::default()
    };
    let mut harness = Harness::living(settings);
    harness.fault(r#"{"fault": {"kind": "repeated_page"}}"#);
    harness.run_until(100);
    let most = |operation: &str| {
        let polls = harness.polled.len() / 3;
        harness.of(operation).len() / polls
    };
    assert!(
        harness.polled.len() > 20 && harness.polled.iter().all(|poll| poll.failure.is_none()),
        "{}",
        harness.polled.len()
    );
    assert!(most("ListCommands") <= 2 && most("DescribeInvocations") <= 2);
}

#[test]
fn what_ends_while_it_cannot_be_asked_about_is_counted_afterwards() {
    let mut harness = one_task();
    harness.fault(r#"{"fault": {"kind": "outage"}, "schedule": {"from": 50, "to": 400}}"#);
    harness.run_until(390);
    assert_eq!(
        harness.failure(&tasks_of("c")).map(|failure| failure.reason),
        Some(Reason::Service)
    );
    harness.run_until(440);
    let reading = harness.tasks("c");
    assert_eq!(reading.tasks[0].task.status, TaskStatus::Success);
    assert_eq!(reading.finished.values().sum::<u64>(), 1);
    let ended =
        harness.notices.iter().filter(|(_, notice)| matches!(notice, Notice::Ended { .. })).count();
    assert_eq!(ended, 1);
}

#[test]
fn an_open_task_that_vanishes_is_lost_after_ten_minutes_and_not_counted_as_ended() {
    let mut harness = one_task();
    harness.sim.world_mut().remove("t");
    harness.run_until(600);
    assert_eq!(harness.tasks("c").tasks.len(), 1, "not found for ten minutes may be an accident");
    harness.run_until(660);
    assert!(harness.tasks("c").tasks.is_empty());
    let lost: Vec<_> = harness
        .notices
        .iter()
        .filter(|(_, notice)| matches!(notice, Notice::Lost { .. }))
        .collect();
    assert_eq!((lost.len(), harness.tasks("c").finished.len()), (1, 0));
}

#[test]
fn one_run_that_cannot_be_told_of_does_not_keep_others_from_their_results() {
    for fault in [
        r#"{"kind": "html", "status": 200}"#,
        r#"{"kind": "error", "status": 406, "code": "AgentError"}"#,
    ] {
        let mut harness = Harness::scripted(worlds::servers(1, 8));
        harness.fault(&format!(
            r#"{{"match": {{"parameters": {{"InvokeId": "s00-r0"}}}}, "fault": {fault}}}"#
        ));
        harness.run_until(20);
        let read = harness
            .invocations("s00")
            .invocations
            .iter()
            .filter(|seen| seen.result.is_some())
            .count();
        assert_eq!(read, 7, "{fault}");
        assert!(
            harness.failure(&id(Kind::SwasInvocations, "s00")).is_some(),
            "{fault}: it is told all the same"
        );
    }
}

#[test]
fn one_command_that_cannot_be_told_of_does_not_keep_others_from_being_shown() {
    for action in ["ListInvocationStatus", "ListInvocationResults"] {
        let mut world = World::empty();
        add_cluster(&mut world, "c");
        for index in 0..4 {
            world
                .add_command("c", worlds::command(&format!("c-{index}"), 2, -100 - index, -50))
                .unwrap();
        }
        let mut harness = Harness::scripted(world);
        let matches = format!(r#"{{"action": "{action}", "parameters": {{"CommandId": "c-0"}}}}"#);
        harness.fault(&format!(
            r#"{{"match": {matches}, "fault": {{"kind": "html", "status": 200}}}}"#
        ));
        harness.run_until(20);
        let read =
            harness.commands("c").commands.iter().filter(|seen| seen.results.is_some()).count();
        assert_eq!(read, 3, "{action}");
        let failure = harness.failure(&id(Kind::EhpcInvocations, "c")).unwrap();
        assert!(failure.message.starts_with(action), "{}", failure.message);
    }
}

#[test]
fn a_poll_does_not_ask_on_and_on_while_nothing_can_be_answered() {
    let mut harness = Harness::scripted(worlds::servers(1, 30));
    harness.fault(r#"{"match": {"action": "DescribeInvocationResult"}, "fault": {"kind": "html", "status": 502}}"#);
    harness.run_until(29);
    assert_eq!(harness.of("DescribeInvocationResult").len(), 3 * 4);
    harness.sim.clear_faults();
    harness.run_until(59);
    assert!(harness.invocations("s00").invocations.iter().all(|seen| seen.result.is_some()));
}

#[test]
fn a_cluster_that_answers_slowly_is_read_to_the_end_however_much_there_is_to_ask() {
    let mut world = World::empty();
    add_cluster(&mut world, "c");
    for number in 0..20 {
        world.add_command("c", worlds::command(&format!("k{number:02}"), 2, -5, 3600)).unwrap();
    }
    for number in 0..1000 {
        world.add_task("c", worlds::task(&format!("t{number:03}"), -200, -100)).unwrap();
    }
    let mut harness = Harness::scripted(world);
    harness.sim.settings_mut().latency = std::time::Duration::from_secs(4);
    harness.run_until(120);
    let failed: Vec<_> = harness.polled.iter().filter(|poll| poll.failure.is_some()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(harness.commands("c").commands.len(), 20, "twenty questions of four seconds each");
    assert_eq!(harness.tasks("c").tasks.len(), 200, "twenty pages of four seconds each");
}

#[test]
fn a_server_that_is_gone_is_told_from_a_run_that_is_gone() {
    let mut world = worlds::servers(2, 3);
    add_server(&mut world, "empty");
    let mut harness = Harness::scripted(world);
    harness.run_until(20);
    harness.sim.world_mut().remove("s01");
    harness.run_until(60);
    assert_eq!(
        harness.failure(&id(Kind::SwasInvocations, "s01")).unwrap().reason,
        Reason::NotFound
    );
    for fine in ["s00", "empty"] {
        assert_eq!(harness.failure(&id(Kind::SwasInvocations, fine)), None);
    }
    assert!(harness.invocations("empty").invocations.is_empty());
}

#[test]
fn a_wrong_clock_is_told_with_its_offset_whatever_the_signature() {
    for (signature, minutes, told) in [
        (Signature::V1, 60, "which is 1h ahead of the cloud's"),
        (Signature::V1, -20, "which is 20m behind the cloud's"),
        (Signature::V3, 60, "which is 1h ahead of the cloud's"),
        (Signature::V3, -20, "which is 20m behind the cloud's"),
    ] {
        let mut harness = one_task();
        harness.config.accounts[0].signature = signature;
        harness.clock_off = SignedDuration::from_mins(minutes);
        harness.run_until(60);
        let failure = harness.failure(&tasks_of("c")).unwrap();
        assert_eq!(failure.reason, Reason::Clock, "{signature:?} {minutes}");
        assert!(failure.advice.contains(told), "{signature:?}: {}", failure.advice);
        let wrong = harness.clock_skew.unwrap() + SignedDuration::from_mins(minutes);
        assert!(wrong.abs() <= seconds(1), "{signature:?} {minutes}: {wrong}");
        harness.clock_off = SignedDuration::ZERO;
        harness.run_until(150);
        assert_eq!(
            (harness.failure(&tasks_of("c")), harness.clock_skew),
            (None, Some(SignedDuration::ZERO))
        );
    }
}

#[test]
fn a_clock_that_is_set_back_an_hour_does_not_stop_polling() {
    let mut harness = one_task();
    harness.clock_off = SignedDuration::from_hours(1);
    harness.run_until(60);
    assert_eq!(harness.failure(&tasks_of("c")).map(|failure| failure.reason), Some(Reason::Clock));
    harness.made.clear();
    harness.clock_off = SignedDuration::ZERO;
    harness.run_until(120);
    assert!(harness.made.len() >= 5, "{} calls in a minute", harness.made.len());
    assert_eq!(harness.failure(&tasks_of("c")), None);
    let next = harness.view(&tasks_of("c")).state.next_poll.unwrap();
    assert!(next.duration_since(harness.now) <= seconds(30), "the next poll is planned for {next}");
}
