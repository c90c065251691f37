//! Values are shown exactly as long as they may be, however the wall clock is set meanwhile.

use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::target::{Kind, TargetId};

use crate::support::harness::{Harness, id};
use crate::support::page::parse;
use crate::support::{seconds, start, worlds};

const OUTAGE: &str = r#"{"fault": {"kind": "reset"}}"#;
const STALE_AFTER: i64 = 600;

fn server() -> TargetId {
    id(Kind::SwasInvocations, "s00")
}

/// A server that can no longer be read, and when it was last read, in seconds after the start.
fn outage() -> (Harness, i64) {
    let mut harness = Harness::scripted(worlds::servers(1, 3)).with_state();
    harness.run_until(100);
    harness.fault(OUTAGE);
    let read = harness.polled.iter().rfind(|poll| poll.failure.is_none()).unwrap().ended;
    harness.run_until(150);
    assert!(harness.failure(&server()).is_some());
    (harness, read.duration_since(start()).as_secs() + 1)
}

/// Whether the values are shown, on the page and in the view.
fn shown(harness: &Harness) -> bool {
    let page = parse(&harness.page(Format::Text));
    let on_page = page.all("aliyun_swas_invocations", &[]).count() > 0;
    assert_eq!(on_page, harness.view(&server()).reading.is_some());
    assert!(
        page.all("aliyun_swas_invocations_finished_total", &[]).count() > 0,
        "what was counted stays"
    );
    on_page
}

/// Runs on, and asserts that the values vanish at this second, neither earlier nor later.
fn assert_vanish(harness: &mut Harness, at: i64) {
    for second in [at - 30, at - 2] {
        harness.run_until(second);
        assert!(shown(harness), "at {second}, before {at}");
    }
    harness.run_until(at);
    assert!(!shown(harness), "at {at}");
    assert_eq!(harness.is_fresh(&server()), shown(harness));
}

#[test]
fn values_vanish_on_time_though_the_clock_is_set_back_or_forward_in_an_outage() {
    for offset in [-4200, -600, 0, 540, 600, 4200, 1_000_000] {
        let (mut harness, read) = outage();
        harness.clock_off = seconds(offset);
        harness.run_for(0);
        assert!(shown(&harness), "set by {offset} s");
        assert_vanish(&mut harness, read + STALE_AFTER);
    }
}

#[test]
fn values_vanish_on_time_though_the_clock_was_wrong_when_they_were_read() {
    for offset in [-4200, 4200] {
        let mut harness = Harness::scripted(worlds::servers(1, 3));
        harness.run_until(60);
        // The cloud refuses requests with this much skew until this machine's clock is right again.
        harness.clock_off = seconds(offset);
        harness.run_until(120);
        harness.clock_off = seconds(0);
        harness.run_until(400);
        assert_eq!(harness.failure(&server()), None);
        harness.fault(OUTAGE);
        let read = harness.polled.iter().rfind(|poll| poll.failure.is_none()).unwrap().ended;
        let read = read.duration_since(start()).as_secs() + 1;
        harness.clock_off = seconds(offset);
        assert_vanish(&mut harness, read + STALE_AFTER);
    }
}

#[test]
fn what_is_restored_is_as_old_as_the_wall_clock_says_and_never_younger_than_the_restart() {
    for (offset, age) in [(0, 180), (-60, 120), (240, 420), (-7200, 0)] {
        let (mut harness, _) = outage();
        // What is in the state was read a moment before the first second of the outage.
        let read = harness.published(&server()).unwrap().1.duration_since(start()).as_secs();
        let saved = harness.view(&server()).read_at.unwrap().duration_since(start()).as_secs();
        assert_eq!(read, saved);
        harness.clock_off = seconds(offset);
        harness.restart(0);
        let restored = harness.view(&server()).read_at.unwrap().duration_since(start()).as_secs();
        harness.run_until(read + 180);
        harness.restart(0);
        // If it was read by a clock that was ahead, its age counts as 0.
        let begun = if age == 0 { read + 180 } else { restored - offset };
        assert!(shown(&harness), "{offset}");
        assert_vanish(&mut harness, begun + STALE_AFTER + 1);
    }
}

#[test]
fn ages_are_told_by_the_clock_as_it_is_set_and_timestamps_stay_as_they_were() {
    let (mut harness, _) = outage();
    let family = "aliyun_task_exporter_target_last_read_timestamp_seconds";
    let before = parse(&harness.page(Format::Text)).value(family, &[]).unwrap();
    let view = harness.view(&server());
    let age = harness.local().duration_since(view.read_at.unwrap());
    for offset in [-4200, 0, 600] {
        harness.clock_off = seconds(offset);
        let view = harness.view(&server());
        let told = |at: jiff::Timestamp| harness.local().duration_since(at);
        assert_eq!(told(view.read_at.unwrap()), age, "{offset}");
        assert!((0..60).contains(&told(view.failing_since.unwrap()).as_secs()), "{offset}");
        assert!((0..60).contains(&told(view.last_failure.unwrap().1).as_secs()), "{offset}");
        assert_eq!(parse(&harness.page(Format::Text)).value(family, &[]), Some(before));
    }
}
