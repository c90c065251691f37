//! A fleet of a hundred servers: what it costs when nothing happens, and how targets take turns
//! where the cloud allows little.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aliyun_task_exporter::action::Product;
use aliyun_task_exporter::aliyun::op::Operation;
use aliyun_task_exporter::config::Config;
use aliyun_task_exporter::model::Reason;
use aliyun_task_exporter::poll::{Load, first_pass, per_poll};
use aliyun_task_exporter::sim::{QuotaWindow, Quotas, Settings, Simulator};
use aliyun_task_exporter::target::{Findings, targets};
use jiff::{SignedDuration, Timestamp};

use crate::support::harness::{Harness, Made, config_for};
use crate::support::truth::assert_shown;
use crate::support::{seconds, start, worlds};

const LIST: &str = "DescribeInvocations";
const RESULT: &str = "DescribeInvocationResult";
const HOUR: i64 = 3600;

/// Number of list calls for each server.
fn lists(harness: &Harness) -> BTreeMap<String, usize> {
    let mut lists = BTreeMap::new();
    for made in harness.of(LIST).iter() {
        *lists.entry(made.target.id.to_string()).or_default() += 1;
    }
    lists
}

/// Counts the first page of each poll, not further ones.
fn first_pages(made: &[&Made]) -> usize {
    made.iter().filter(|made| page(&made.operation) == 1).count()
}

fn page(operation: &Operation) -> u32 {
    match operation {
        Operation::DescribeInvocations(call) => call.page,
        _ => 0,
    }
}

/// Calls that the arithmetic of the planned load predicts for a hundred servers with 50 ended
/// invocations each: in the first pass, and in polls.
fn arithmetic(config: &Config, period: i64, span: i64) -> (f64, f64) {
    let server = &targets(config, &Findings::new())[0];
    let polls = span as f64 / period as f64;
    let period = Duration::from_secs(period as u64);
    let first: f64 = first_pass(server, &Load::QUIET, 50).map(|(_, calls)| calls).sum();
    let each = per_poll(server, &Load::QUIET, period, config.poll.history_interval);
    (100.0 * first, 100.0 * polls * each.map(|(_, calls)| calls).sum::<f64>())
}

#[test]
fn an_idle_fleet_costs_one_list_per_server_and_idle_interval_and_each_result_once_even_over_a_restart()
 {
    let sim = Simulator::with_world(Settings::default(), worlds::servers(100, 50), start());
    let mut config = config_for(&sim);
    config.accounts[0].quotas = [(Product::Swas.into(), 600)].into();
    let mut harness = Harness::new(sim, config).with_state();
    let poll = harness.config.poll.clone();
    let idle_after = poll.idle_after.as_secs() as i64;
    let idle_interval = poll.idle_interval.as_secs() as i64;
    // An idle target's last poll at a shorter interval may have been just before.
    let settled = idle_after + idle_interval;
    harness.run_until(settled);
    let first = harness.made.len();
    assert_eq!(harness.of(RESULT).len(), 100 * 50, "each result was asked for once");
    harness.made.clear();
    harness.run_until(settled + HOUR);
    let wanted = (HOUR / idle_interval) as usize;
    let lists_made = lists(&harness);
    assert_eq!(lists_made.len(), 100);
    for (server, made) in &lists_made {
        assert!(
            made.abs_diff(wanted) <= 1,
            "{server} was asked {made} times in an hour, not {wanted}"
        );
    }
    assert_eq!(harness.of(RESULT).len(), 0, "nothing ends, so nothing is asked for");
    let (pass, quick) = arithmetic(&harness.config, poll.interval.as_secs() as i64, idle_after);
    let (_, idle) = arithmetic(&harness.config, idle_interval, HOUR + idle_interval);
    let made = (first + harness.made.len()) as f64;
    let least = pass + quick + idle;
    assert!((made / least - 1.0).abs() <= 0.05, "{made} calls, the plan's arithmetic says {least}");

    harness.made.clear();
    harness.restart(5);
    harness.run_for(29);
    assert_eq!(
        harness.of(RESULT).len(),
        0,
        "what had ended before the restart is not asked for again"
    );
    // Since anything may have happened, all lists are read whole again, once.
    assert!(lists(&harness).values().all(|made| *made <= 2), "{:?}", lists(&harness));
    assert_eq!(first_pages(&harness.of(LIST)), 100);
    harness.run_for(HOUR);
    assert_eq!(harness.of(RESULT).len(), 0);
    assert_shown(&harness, "after all");
}

/// `servers` servers with one ended invocation each; `s00` also has one that keeps running. The
/// cloud allows six calls of each operation per minute.
fn six_per_minute(window: QuotaWindow, servers: usize, budget: Option<u32>) -> Harness {
    let quotas = Quotas { per_minute: 6, window, ..Quotas::default() };
    let settings = Settings { quotas, latency: Duration::from_millis(300), ..Settings::default() };
    let mut world = worlds::servers(servers, 1);
    world.add_invocation("s00", worlds::invocation("long", -10, 1_000_000, 0)).unwrap();
    let sim = Simulator::with_world(settings, world, start());
    let mut config = config_for(&sim);
    config.accounts[0].quotas =
        budget.map(|budget| (Product::Swas.into(), budget)).into_iter().collect();
    Harness::new(sim, config)
}

/// The longest time between two reads of each server since `from`, including now.
fn longest_periods(harness: &Harness, from: Timestamp) -> BTreeMap<String, SignedDuration> {
    let mut last: BTreeMap<String, Timestamp> = targets(&harness.config, &Findings::new())
        .into_iter()
        .map(|target| (target.id.id.to_string(), from))
        .collect();
    let mut longest: BTreeMap<String, SignedDuration> = BTreeMap::new();
    let reads =
        harness.of(LIST).into_iter().filter(|made| made.failure.is_none() && made.sent >= from);
    let mut note = |server: &str, at: Timestamp| {
        let before = last.insert(server.to_owned(), at).unwrap();
        let period = longest.entry(server.to_owned()).or_default();
        *period = (*period).max(at.duration_since(before));
    };
    for made in reads {
        note(&made.target.id, made.sent);
    }
    for target in targets(&harness.config, &Findings::new()).iter() {
        note(&target.id.id, harness.now);
    }
    longest
}

/// Runs for some seconds and asserts each minute that no target's gauges are withdrawn.
fn run_unwithdrawn(harness: &mut Harness, span: i64) {
    let end = harness.now + seconds(span);
    while harness.now < end {
        harness.run_for(60);
        let stale =
            harness.store.views(harness.moment()).into_iter().find(|view| view.reading.is_none());
        assert!(stale.is_none(), "{}: withdrawn at {}", stale.unwrap().target.id.id, harness.now);
    }
}

#[test]
fn a_budget_that_is_the_clouds_own_limit_of_six_is_never_refused_and_every_server_has_its_turn() {
    for window in [QuotaWindow::Calendar, QuotaWindow::Sliding] {
        let mut harness = six_per_minute(window, 100, Some(6));
        // Six first readings in each window of 61 seconds, and some for the server with running
        // work.
        harness.run_until(2 * HOUR);
        let from = harness.now;
        run_unwithdrawn(&mut harness, 6 * HOUR);
        let refused = harness.made.iter().filter(|made| made.failure.is_some()).count();
        assert_eq!(refused, 0, "{window:?}");
        let periods = longest_periods(&harness, from);
        // A fleet of a hundred at six per window of 61 seconds.
        let fair = 100.0 / 6.0 * 61.0;
        let (running, idle): (Vec<_>, Vec<_>) =
            periods.iter().partition(|(server, _)| *server == "s00");
        let slowest = idle.iter().map(|(_, period)| period.as_secs_f64()).fold(0.0, f64::max);
        assert!(
            slowest <= fair * 1.1,
            "{window:?}: {slowest} s between two reads of an idle server"
        );
        assert!(
            running[0].1.as_secs_f64() < slowest / 4.0,
            "{window:?}: running work waited {:?}",
            running[0].1
        );
        assert_shown(&harness, "a small budget");
    }
}

/// When calls were refused; refusals within a quarter of an hour count as one.
fn refusals(harness: &Harness) -> Vec<Timestamp> {
    let mut times: Vec<Timestamp> = Vec::new();
    for made in harness
        .made
        .iter()
        .filter(|made| made.failure == Some(Reason::Throttled) && made.operation.name() == LIST)
    {
        if times.last().is_none_or(|last| made.sent.duration_since(*last) > seconds(900)) {
            times.push(made.sent);
        }
    }
    times
}

#[test]
fn an_unknown_limit_of_six_is_learned_probed_after_doubling_times_and_nobody_starves() {
    for window in [QuotaWindow::Calendar, QuotaWindow::Sliding] {
        let mut harness = six_per_minute(window, 20, None);
        harness.run_until(2 * HOUR);
        let from = harness.now;
        run_unwithdrawn(&mut harness, 70 * HOUR);
        let times = refusals(&harness);
        let minutes = |pair: &[Timestamp]| pair[1].duration_since(pair[0]).as_secs_f64() / 60.0;
        let pauses: Vec<f64> = times.windows(2).map(minutes).collect();
        // Each refused probe doubles the time to the next one.
        let schedule = [20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0, 1440.0];
        let fits = |(pause, minutes): (&f64, f64)| (minutes..minutes + 6.0).contains(pause);
        let later = &pauses[pauses.len().saturating_sub(schedule.len())..];
        assert!(
            later.len() == schedule.len() && later.iter().zip(schedule).all(fits),
            "{window:?}: {pauses:?}"
        );
        let late = harness
            .of(LIST)
            .into_iter()
            .filter(|made| made.failure.is_some() && made.sent > from)
            .count();
        assert!(late <= 2 * schedule.len(), "{window:?}: {late} refused after the first two hours");
        let slowest = longest_periods(&harness, from).into_values().max().unwrap();
        // Twenty servers, one of them counting as at most eight, at three a minute after a refusal.
        assert!(slowest < seconds(27 * 61 / 3 + 122), "{window:?}: {slowest:?} without a reading");
        assert_shown(&harness, "a learned budget");
    }
}

#[test]
fn half_of_a_limit_of_six_is_left_to_another_program() {
    for window in [QuotaWindow::Calendar, QuotaWindow::Sliding] {
        let mut harness = six_per_minute(window, 20, None);
        let mut asked = 0_u32;
        let mut refused = Vec::new();
        for second in (0..48 * HOUR).step_by(20) {
            harness.run_until(second);
            asked += 1;
            if !harness.another_program_asks("s00") {
                refused.push(second);
            }
        }
        assert_eq!(asked, 48 * 180);
        // The first minute teaches the limit; later only the occasional probes take calls from the
        // other program.
        let share = refused.len() as f64 / f64::from(asked);
        assert!(
            share < 0.01,
            "{window:?}: {share} of the other program's calls were refused: {refused:?}"
        );
        let hours: BTreeSet<i64> = refused.iter().map(|second| second / HOUR).collect();
        assert!(hours.len() <= 9, "{window:?}: refused in these hours: {hours:?}");
        assert!(refusals(&harness).len() <= 9, "{window:?}: {:?}", refusals(&harness));
        assert_shown(&harness, "half a limit");
    }
}
