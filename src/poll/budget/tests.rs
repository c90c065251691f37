use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Budget, Heard, Hint};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: usize = 24;
/// Number of targets of an exporter.
const TARGETS: usize = 300;

/// A time in the simulated days, in milliseconds.
fn at(time: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_040_000 + time).unwrap()
}

fn milliseconds(time: Timestamp) -> i64 {
    time.as_millisecond() - 1_700_000_040_000
}

fn refusal(pause: Option<Duration>) -> Heard {
    Heard::Refused { pause, code: "Throttling.User".into() }
}

/// Exporters that share one limit of the cloud.
struct Scene<'a> {
    /// When each exporter starts.
    starts: &'a [i64],
    configured: u32,
    /// Calls per minute that each exporter needs: currently, and when all its targets are idle.
    need: f64,
    idle_need: f64,
    /// Whether the cloud counts calendar minutes or the last 60 seconds.
    sliding: bool,
    /// Calls per minute that the cloud lets through.
    limit: &'a dyn Fn(i64) -> u32,
    /// Calls of another consumer: when, and how many.
    others: Vec<(i64, u32)>,
    hours: i64,
}

impl Default for Scene<'_> {
    fn default() -> Self {
        Self {
            starts: &[300],
            configured: 900,
            need: 120.0,
            idle_need: 30.0,
            sliding: false,
            limit: &|_| 1_000_000,
            others: Vec::new(),
            hours: 4,
        }
    }
}

/// Outcomes of one exporter's calls.
struct Record {
    /// Calls that got through and calls that were refused, by hour.
    passed: Vec<u32>,
    refused: Vec<u32>,
    /// Minutes in which a call was refused.
    throttled: BTreeSet<i64>,
    /// Calls that got through: when, and how long after the target's previous one.
    gaps: Vec<(i64, i64)>,
}

enum What {
    Due { target: usize },
    Answer { ticket: u64, passed: bool, due: i64, target: usize },
    Wake,
    Others(u32),
}

struct Exporter {
    budget: Budget,
    /// Waiting targets, and since when.
    waiting: VecDeque<(i64, usize)>,
    /// When each target was last read.
    read: Vec<i64>,
    tickets: u64,
    wake: Option<i64>,
}

#[derive(Default)]
struct Cloud {
    counted: VecDeque<i64>,
}

impl Cloud {
    fn lets_through(&mut self, time: i64, limit: u32, sliding: bool) -> bool {
        let counts =
            |call: i64| if sliding { time - call < MINUTE } else { time / MINUTE == call / MINUTE };
        while self.counted.front().is_some_and(|call| !counts(*call)) {
            self.counted.pop_front();
        }
        let passes = (self.counted.len() as u32) < limit;
        if passes {
            self.counted.push_back(time);
        }
        passes
    }
}

impl Scene<'_> {
    /// Time between two polls of a target, in milliseconds.
    fn period(&self) -> i64 {
        (TARGETS as f64 * MINUTE as f64 / self.need) as i64
    }

    /// Each target is due again one period later; an answer takes 75 to 225 ms.
    fn play(&self) -> Vec<Record> {
        let period = self.period();
        let mut agenda = Agenda::default();
        let mut cloud = Cloud::default();
        let mut noise = 12345u64;
        let mut exporters = Vec::new();
        let mut records = Vec::new();
        for (number, start) in self.starts.iter().enumerate() {
            let budget = Budget::new(self.configured);
            exporters.push(Exporter {
                budget,
                waiting: VecDeque::new(),
                read: vec![*start; TARGETS],
                tickets: 0,
                wake: None,
            });
            let hours = vec![0; self.hours as usize + 1];
            records.push(Record {
                passed: hours.clone(),
                refused: hours,
                throttled: BTreeSet::new(),
                gaps: Vec::new(),
            });
            for target in 0..TARGETS {
                agenda.add(
                    start + period * target as i64 / TARGETS as i64,
                    number,
                    What::Due { target },
                );
            }
        }
        for (time, calls) in &self.others {
            agenda.add(*time, 0, What::Others(*calls));
        }
        while let Some((time, number, what)) = agenda.next(self.hours * HOUR) {
            let exporter = &mut exporters[number];
            let record = &mut records[number];
            let hour = (time / HOUR) as usize;
            match what {
                What::Due { target } => exporter.waiting.push_back((time, target)),
                What::Wake => exporter.wake = None,
                What::Others(calls) => {
                    for _ in 0..calls {
                        cloud.lets_through(time, (self.limit)(time), self.sliding);
                    }
                    continue;
                }
                What::Answer { ticket, passed: true, due, target } => {
                    record.passed[hour] += 1;
                    record.gaps.push((time, time - exporter.read[target]));
                    exporter.read[target] = time;
                    exporter.budget.heard(ticket, Heard::Passed, at(time), || self.idle_need);
                    agenda.add((due + period).max(time), number, What::Due { target });
                }
                What::Answer { ticket, passed: false, due, target } => {
                    record.refused[hour] += 1;
                    record.throttled.insert(time / MINUTE);
                    exporter.budget.heard(ticket, refusal(None), at(time), || self.idle_need);
                    exporter.waiting.push_front((due, target));
                }
            }
            while let Some((due, target)) = exporter.waiting.front().copied() {
                let Some(ready) = exporter.budget.ready_at(at(time)).map(milliseconds) else {
                    break;
                };
                if ready > time {
                    if exporter.wake.is_none_or(|wake| wake > ready) {
                        exporter.wake = Some(ready);
                        agenda.add(ready, number, What::Wake);
                    }
                    break;
                }
                exporter.waiting.pop_front();
                exporter.tickets += 1;
                exporter.budget.take(exporter.tickets, at(time));
                noise = noise
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let took = 75 + ((noise >> 33) % 151) as i64;
                let arrives = time + took / 2;
                let passed = cloud.lets_through(arrives, (self.limit)(arrives), self.sliding);
                agenda.add(
                    time + took,
                    number,
                    What::Answer { ticket: exporter.tickets, passed, due, target },
                );
            }
        }
        records
    }
}

#[derive(Default)]
struct Agenda {
    entries: BTreeMap<(i64, u64), (usize, What)>,
    added: u64,
}

impl Agenda {
    fn add(&mut self, time: i64, exporter: usize, what: What) {
        self.added += 1;
        self.entries.insert((time, self.added), (exporter, what));
    }

    fn next(&mut self, end: i64) -> Option<(i64, usize, What)> {
        let ((time, _), (exporter, what)) = self.entries.pop_first()?;
        (time < end).then_some((time, exporter, what))
    }
}

impl Record {
    fn refused_on(&self, day: usize) -> u32 {
        self.refused[day * DAY..(day + 1) * DAY].iter().sum()
    }

    /// Fraction of `limit` calls per minute that was used on a day.
    fn used_on(&self, day: usize, limit: u32) -> f64 {
        f64::from(self.passed[day * DAY..(day + 1) * DAY].iter().sum::<u32>())
            / 1440.0
            / f64::from(limit)
    }

    /// Age of the oldest reading, in seconds.
    fn oldest(&self) -> i64 {
        self.gaps.iter().map(|(_, gap)| gap / 1000).max().unwrap()
    }

    /// Seconds from `end` until no reading is older than a period plus a minute.
    fn recovered(&self, end: i64, period: i64) -> i64 {
        let last = self.gaps.iter().rev().find(|(time, gap)| *time > end && *gap > period + MINUTE);
        last.map_or(0, |(time, _)| (time - end) / 1000)
    }
}

#[test]
fn a_constant_limit_is_found_with_few_refusals_and_used() {
    println!(
        "limit | need | window | refused in hour 1, most in an hour of day 1, days 1 and 2 | used on day 2"
    );
    for (limit, need, idle_need, configured) in [
        (3, 300.0, 75.0, 600),
        (10, 300.0, 1.0, 900),
        (10, 300.0, 75.0, 900),
        (100, 300.0, 75.0, 900),
        (100, 120.0, 30.0, 900),
        (250, 300.0, 30.0, 300),
    ] {
        for (sliding, start) in [(false, 300), (false, 41_300), (true, 300), (true, 41_300)] {
            let scene = Scene {
                starts: &[start],
                configured,
                need,
                idle_need,
                sliding,
                limit: &|_| limit,
                hours: 48,
                ..Scene::default()
            };
            let record = &scene.play()[0];
            let most = record.refused[1..DAY].iter().max().unwrap();
            let days = [0, 1].map(|day| record.refused_on(day));
            let used = record.used_on(1, limit);
            let window = if sliding { "sliding" } else { "calendar" };
            let first = record.refused[0];
            println!("{limit} | {need} | {window} | {first}, {most}, {days:?} | {used:.2}");
            // If the limit is below what is needed when all is idle, and the calls that got through
            // still count in a sliding minute, the first trials are refused, too.
            let allowed = if sliding && f64::from(limit) < idle_need { 9 } else { 6 };
            assert!(first <= allowed, "{limit} {window} {start}: {first} in the first hour");
            assert!(
                *most <= if sliding { 2 } else { 1 },
                "{limit} {window} {start}: {most} in an hour"
            );
            assert!(days[1] <= 2, "{limit} {window} {start}: {days:?}");
            assert!(used >= 0.5, "{limit} {window} {start}: {used}");
        }
    }
}

#[test]
fn a_total_refusal_is_over_in_a_minute_however_long_it_was() {
    println!("minutes | need | refused | oldest reading | recovered in");
    for minutes in [1, 2, 5, 10, 60] {
        for need in [120.0, 600.0] {
            let start = HOUR + 17_000;
            let end = start + minutes * MINUTE;
            let limit = |time: i64| if (start..end).contains(&time) { 0 } else { 1_000_000 };
            let scene = Scene { need, limit: &limit, ..Scene::default() };
            let record = &scene.play()[0];
            let refused: u32 = record.refused.iter().sum();
            let recovered = record.recovered(end, scene.period());
            println!("{minutes} | {need} | {refused} | {} s | {recovered} s", record.oldest());
            assert!(refused <= minutes as u32 + 2, "one call a minute is tried: {refused}");
            assert!(recovered <= 180, "{minutes} minutes: {recovered} s");
            assert!(
                record.passed[3] >= (need as u32 - 1) * 60,
                "as much as before: {:?}",
                record.passed
            );
        }
    }
}

#[test]
fn another_consumer_is_given_way_to_and_what_it_leaves_is_taken_back() {
    println!("minutes | calls of others | every | refused | oldest reading | recovered in");
    for minutes in [2, 5, 10, 60] {
        for every in [1000, 5000] {
            for a_minute in [240, 540, 1200] {
                let start = HOUR + 17_000;
                let end = start + minutes * MINUTE;
                let calls = |time| (time, (a_minute * every / MINUTE).max(1) as u32);
                let others = (start..end).step_by(every as usize).map(calls).collect();
                let scene = Scene { limit: &|_| 200, others, ..Scene::default() };
                let record = &scene.play()[0];
                let refused: u32 = record.refused.iter().sum();
                let recovered = record.recovered(end, scene.period());
                println!(
                    "{minutes} | {a_minute} | {every} ms | {refused} | {} s | {recovered} s",
                    record.oldest()
                );
                assert!(refused <= 3 + minutes as u32, "{minutes} minutes: {refused}");
                assert!(
                    recovered <= (minutes * 60).max(1200),
                    "no longer than it lasted: {minutes} minutes, {recovered} s"
                );
                assert!(record.passed[3] >= 119 * 60, "as much as before: {:?}", record.passed);
            }
        }
    }
}

#[test]
fn a_limit_that_moves_is_followed_both_ways() {
    for sliding in [false, true] {
        let limit = |time: i64| match time / HOUR {
            0..24 => 200,
            24..30 => 50,
            30..54 => 200,
            54..78 => 500,
            _ => 150,
        };
        let record =
            &Scene { need: 300.0, sliding, limit: &limit, hours: 96, ..Scene::default() }.play()[0];
        let a_minute: Vec<u32> = record.passed.iter().map(|hour| hour / 60).collect();
        println!("{sliding}: refused {:?}, passed in a minute {a_minute:?}", record.refused);
        assert!(a_minute[1..24].iter().all(|calls| (100..=200).contains(calls)), "{a_minute:?}");
        assert!(a_minute[25..30].iter().all(|calls| (25..=50).contains(calls)), "{a_minute:?}");
        let again = a_minute[30..54].iter().position(|calls| *calls > 100).unwrap();
        assert!(again <= 6, "after {again} hours: {a_minute:?}");
        let all = a_minute[54..78].iter().position(|calls| *calls == 300).unwrap();
        assert!(all <= 24, "after {all} hours: {a_minute:?}");
        assert!(a_minute[79..96].iter().all(|calls| (75..=150).contains(calls)), "{a_minute:?}");
        assert!(record.refused.iter().all(|hour| *hour <= 10), "{:?}", record.refused);
    }
}

#[test]
fn two_exporters_on_one_account_share_its_limit() {
    println!(
        "limit | need of each | window | started | used by each on day 4 | throttled minutes, days 1 to 4"
    );
    for (limit, need) in [(10, 100.0), (100, 80.0), (100, 300.0)] {
        for sliding in [false, true] {
            for second in [700, 30_300, 2 * HOUR] {
                let scene = Scene {
                    starts: &[300, second],
                    configured: 600,
                    need,
                    sliding,
                    limit: &|_| limit,
                    hours: 96,
                    ..Scene::default()
                };
                let records = scene.play();
                let minutes: BTreeSet<i64> =
                    records.iter().flat_map(|record| &record.throttled).copied().collect();
                let on = |day: i64| minutes.iter().filter(|minute| *minute / 1440 == day).count();
                let days = [0, 1, 2, 3].map(on);
                let used = [0, 1].map(|exporter| records[exporter].used_on(3, limit));
                let window = if sliding { "sliding" } else { "calendar" };
                println!(
                    "{limit} | {need} | {window} | {} s | {used:.2?} | {days:?}",
                    second / 1000
                );
                // The goals are 0.3 and 4; docs/design.md says where they are missed.
                assert!(
                    used.iter().all(|used| *used >= 0.25),
                    "{limit} {window} {second}: {used:?}"
                );
                assert!(
                    days[1..].iter().all(|day| *day <= 10),
                    "{limit} {window} {second}: {days:?}"
                );
            }
        }
    }
}

/// Makes four calls a second, as far as the budget allows, to a cloud that answers at once. Returns
/// how many got through.
fn ask(budget: &mut Budget, times: std::ops::Range<i64>, passes: impl Fn(i64) -> bool) -> u32 {
    let mut passed = 0;
    for time in times.step_by(250) {
        if budget.ready_at(at(time)).is_some_and(|ready| ready <= at(time)) {
            let heard = if passes(time) { Heard::Passed } else { refusal(None) };
            passed += u32::from(heard == Heard::Passed);
            budget.take(time as u64, at(time));
            budget.heard(time as u64, heard, at(time), || 1.0);
        }
    }
    passed
}

#[test]
fn no_window_of_a_minute_holds_more_calls_than_the_budget() {
    let mut budget = Budget::new(6);
    let mut calls = Vec::new();
    for time in (0..600_000).step_by(1000) {
        while budget.ready_at(at(time)).is_some_and(|ready| ready <= at(time)) {
            calls.push(time);
            budget.take(calls.len() as u64, at(time));
            budget.heard(calls.len() as u64, Heard::Passed, at(time), || 1.0);
        }
    }
    assert!((55..=60).contains(&calls.len()), "{}", calls.len());
    assert!(calls.windows(7).all(|seven| seven[6] - seven[0] > MINUTE));
}

#[test]
fn a_refused_operation_rests_to_the_next_calendar_minute_or_as_told_but_never_for_long() {
    for (pause, rests) in [(None, 43), (Some(90), 90), (Some(86_400), 300)] {
        let mut budget = Budget::new(100);
        budget.take(1, at(17_000));
        budget.heard(1, refusal(pause.map(Duration::from_secs)), at(17_000), || 1.0);
        let resting = budget.state().resting.unwrap();
        assert_eq!(resting.until.duration_since(at(17_000)), SignedDuration::from_secs(rests));
        assert_eq!((resting.since, &*resting.code), (at(17_000), "Throttling.User"));
        assert_eq!(budget.ready_at(at(17_000)), Some(resting.until));
    }
}

#[test]
fn one_call_is_tried_after_a_rest_and_what_it_hears_decides() {
    let mut budget = Budget::new(900);
    ask(&mut budget, 0..120_000, |time| time < 80_000);
    assert!(budget.state().lowered.is_some(), "much was asked");
    let trial = (120_000..300_000)
        .find(|time| budget.ready_at(at(*time)).is_some_and(|ready| ready <= at(*time)));
    let trial = trial.unwrap();
    budget.take(7_000_000, at(trial));
    assert_eq!(budget.ready_at(at(trial + 5000)), None, "nothing else before its answer");
    budget.heard(7_000_000, refusal(None), at(trial + 5000), || 1.0);
    assert_eq!(budget.state().lowered, None, "the lesson is taken back");
    assert!(budget.state().resting.is_some());
    let next = milliseconds(budget.ready_at(at(trial + 5001)).unwrap());
    budget.take(7_000_001, at(next));
    budget.heard(7_000_001, Heard::Passed, at(next + 100), || 1.0);
    let state = budget.state();
    assert_eq!((state.in_force, state.resting, state.lowered), (900, None, None));
}

#[test]
fn calls_that_are_refused_together_teach_one_lesson() {
    let mut budget = Budget::new(900);
    ask(&mut budget, 0..60_000, |_| true);
    for ticket in 1..=20 {
        budget.take(10_000_000 + ticket, at(61_500));
    }
    for ticket in 1..=20 {
        budget.heard(10_000_000 + ticket, refusal(None), at(61_600), || 1.0);
    }
    let lowered = budget.state().lowered.unwrap();
    assert_eq!(lowered.since, at(61_600));
    assert_eq!(f64::from(budget.in_force()), (f64::from(lowered.refused_at) * 0.6).floor());
}

#[test]
fn a_refusal_while_little_is_asked_teaches_nothing() {
    let mut budget = Budget::new(900);
    assert_eq!(ask(&mut budget, 0..60_000, |_| true), 240);
    // A few of the second minute's calls get through.
    budget.take(1, at(150_000));
    budget.heard(1, Heard::Passed, at(150_000), || 1.0);
    budget.take(2, at(150_500));
    budget.heard(2, refusal(None), at(150_600), || 1.0);
    let state = budget.state();
    assert!(state.resting.is_some());
    assert_eq!((state.in_force, state.lowered), (900, None));
}

#[test]
fn a_budget_is_not_lowered_below_what_is_needed_unless_the_limit_is_known_to_be_lower() {
    let mut budget = Budget::new(900);
    let cloud = |time: i64, passed: &mut u32, minute: &mut i64| {
        if time / MINUTE != *minute {
            *minute = time / MINUTE;
            *passed = 0;
        }
        *passed += 1;
        if *passed > 10 { refusal(None) } else { Heard::Passed }
    };
    let mut passed = 0;
    let mut minute = -1;
    let mut in_force = Vec::new();
    for time in (0..600_000).step_by(200) {
        if budget.ready_at(at(time)).is_some_and(|ready| ready <= at(time)) {
            budget.take(time as u64, at(time));
            let heard = cloud(time, &mut passed, &mut minute);
            budget.heard(time as u64, heard, at(time), || 40.0);
            in_force.push(budget.in_force());
        }
    }
    assert!(in_force.contains(&40), "what is needed is tried: {in_force:?}");
    assert!(*in_force.last().unwrap() <= 12, "and given up: {in_force:?}");
}

#[test]
fn what_was_learned_outlives_the_process_as_a_hint_and_another_figure_forgets_it() {
    let mut old = Budget::new(600);
    ask(&mut old, 0..50_000, |time| time < 5000);
    assert!(old.state().lowered.is_some());
    assert_eq!(old.hint().lowered, None, "it may still be taken back");
    ask(&mut old, 50_000..90_000, |_| true);
    let hint = old.hint();
    assert!(hint.lowered.is_some(), "a call that got through has confirmed it");
    let text = serde_json::to_string(&hint).unwrap();
    let hint: Hint = serde_json::from_str(&text).unwrap();
    let saved = hint.lowered.clone().unwrap();
    let soon = at(90_000 + 2 * MINUTE);
    let mut new = Budget::new(600);
    new.restore(&hint, soon);
    let lowered = new.state().lowered.unwrap();
    assert_eq!((lowered.since, lowered.refused_at), (saved.since, saved.refused_at));
    assert_eq!(lowered.retry_at, saved.retry_at, "a restart does not put it off");
    assert_eq!(f64::from(new.in_force()), (f64::from(saved.refused_at) * 0.9).floor());
    assert!(
        new.ready_at(soon).is_some_and(|ready| ready <= soon),
        "the first call waits for nothing"
    );
    let mut long_refused = hint.clone();
    long_refused.lowered.as_mut().unwrap().retry_at = at(20 * HOUR);
    let mut later = Budget::new(600);
    later.restore(&long_refused, at(HOUR));
    let retry_at = later.state().lowered.unwrap().retry_at;
    assert_eq!(
        retry_at.duration_since(at(HOUR)),
        SignedDuration::from_mins(5),
        "minutes correct it"
    );
    let mut other = Budget::new(300);
    other.restore(&hint, at(HOUR));
    assert_eq!(other.state().lowered, None);
    new.configure(601);
    assert_eq!(new.state().lowered, None);
    let mut used = Budget::new(600);
    used.take(1, at(0));
    used.restore(&hint, at(HOUR));
    assert_eq!(used.state().lowered, None, "it has seen for itself");
}

#[test]
fn an_answer_that_does_not_come_ends_a_rest_and_says_nothing_of_limits() {
    let mut budget = Budget::new(900);
    budget.take(1, at(1000));
    budget.heard(1, refusal(None), at(1100), || 1.0);
    let next = milliseconds(budget.ready_at(at(1200)).unwrap());
    let lowered = budget.state().lowered;
    budget.take(2, at(next));
    budget.heard(2, Heard::Nothing, at(next + 10_000), || 1.0);
    assert_eq!(budget.state().resting, None);
    assert_eq!(budget.state().lowered, lowered);
}

#[test]
fn only_the_calls_of_the_last_minute_are_remembered() {
    let mut budget = Budget::new(50_000);
    for time in (0..HOUR).step_by(100) {
        assert!(budget.ready_at(at(time)).is_some_and(|ready| ready <= at(time)));
        budget.take(time as u64, at(time));
        budget.heard(time as u64, Heard::Passed, at(time + 50), || 1.0);
    }
    let kept = (budget.sent.len(), budget.passed.len());
    assert!(kept.0 <= 610 && kept.1 <= 1300, "{kept:?}");
}

#[test]
fn everything_moves_with_a_clock_that_is_set_back() {
    let mut budget = Budget::new(600);
    ask(&mut budget, 0..50_000, |time| time < 5000);
    let before = budget.state();
    let step = SignedDuration::from_hours(-24 * 365);
    budget.shift(step);
    let after = budget.state();
    let lowered = before.lowered.zip(after.lowered).unwrap();
    assert_eq!(lowered.1.retry_at, lowered.0.retry_at + step);
    let ready = budget.ready_at(at(50_000) + step).unwrap();
    assert!(ready.duration_since(at(50_000) + step) < SignedDuration::from_mins(3), "{ready}");
}
