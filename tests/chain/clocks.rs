//! Values are shown for as long as they may be, whatever the wall clock is set to meanwhile.

use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::target::{Kind, TargetId};

use crate::support::page::parse;
use crate::support::rig::{Rig, id};
use crate::support::{seconds, start, worlds};

const OUTAGE: &str = r#"{"fault": {"kind": "reset"}}"#;
const STALE_AFTER: i64 = 600;

fn server() -> TargetId {
    id(Kind::SwasInvocations, "s00")
}

/// A server that was read for the last time, and when that was, in seconds after the start.
fn outage() -> (Rig, i64) {
    let mut rig = Rig::scripted(worlds::servers(1, 3)).with_state();
    rig.run_until(100);
    rig.fault(OUTAGE);
    let read = rig.polled.iter().rfind(|poll| poll.failure.is_none()).unwrap().ended;
    rig.run_until(150);
    assert!(rig.failure(&server()).is_some());
    (rig, read.duration_since(start()).as_secs() + 1)
}

/// Whether the values are shown, on the page as in the view.
fn shown(rig: &Rig) -> bool {
    let page = parse(&rig.page(Format::Text));
    let on_page = page.all("aliyun_swas_invocations", &[]).count() > 0;
    assert_eq!(on_page, rig.view(&server()).reading.is_some());
    assert!(page.all("aliyun_swas_invocations_finished_total", &[]).count() > 0, "what was counted stays");
    on_page
}

/// Runs on, and asserts that the values vanish at this second, neither earlier nor later.
fn assert_vanish(rig: &mut Rig, at: i64) {
    for second in [at - 30, at - 2] {
        rig.run_until(second);
        assert!(shown(rig), "at {second}, before {at}");
    }
    rig.run_until(at);
    assert!(!shown(rig), "at {at}");
    assert_eq!(rig.is_fresh(&server()), shown(rig));
}

#[test]
fn values_vanish_on_time_though_the_clock_is_set_back_or_forward_in_an_outage() {
    for offset in [-4200, -600, 0, 540, 600, 4200, 1_000_000] {
        let (mut rig, read) = outage();
        rig.clock_off = seconds(offset);
        rig.run_for(0);
        assert!(shown(&rig), "set by {offset} s");
        assert_vanish(&mut rig, read + STALE_AFTER);
    }
}

#[test]
fn values_vanish_on_time_though_the_clock_was_wrong_when_they_were_read() {
    for offset in [-4200, 4200] {
        let mut rig = Rig::scripted(worlds::servers(1, 3));
        rig.run_until(60);
        // The cloud refuses requests from so far off, until this machine's clock is right again.
        rig.clock_off = seconds(offset);
        rig.run_until(120);
        rig.clock_off = seconds(0);
        rig.run_until(400);
        assert_eq!(rig.failure(&server()), None);
        rig.fault(OUTAGE);
        let read = rig.polled.iter().rfind(|poll| poll.failure.is_none()).unwrap().ended;
        let read = read.duration_since(start()).as_secs() + 1;
        rig.clock_off = seconds(offset);
        assert_vanish(&mut rig, read + STALE_AFTER);
    }
}

#[test]
fn what_is_restored_is_as_old_as_the_wall_clock_says_and_never_younger_than_the_restart() {
    for (offset, age) in [(0, 180), (-60, 120), (240, 420), (-7200, 0)] {
        let (mut rig, _) = outage();
        // What is in the state was read a moment before the first second of the outage.
        let read = rig.published(&server()).unwrap().1.duration_since(start()).as_secs();
        let saved = rig.view(&server()).read_at.unwrap().duration_since(start()).as_secs();
        assert_eq!(read, saved);
        rig.clock_off = seconds(offset);
        rig.restart(0);
        let restored = rig.view(&server()).read_at.unwrap().duration_since(start()).as_secs();
        rig.run_until(read + 180);
        rig.restart(0);
        // Read by a clock that was ahead, it is as old as nothing.
        let begun = if age == 0 { read + 180 } else { restored - offset };
        assert!(shown(&rig), "{offset}");
        assert_vanish(&mut rig, begun + STALE_AFTER + 1);
    }
}

#[test]
fn ages_are_told_by_the_clock_as_it_is_set_and_timestamps_stay_as_they_were() {
    let (mut rig, _) = outage();
    let family = "aliyun_exporter_target_last_read_timestamp_seconds";
    let before = parse(&rig.page(Format::Text)).value(family, &[]).unwrap();
    let view = rig.view(&server());
    let age = rig.local().duration_since(view.read_at.unwrap());
    for offset in [-4200, 0, 600] {
        rig.clock_off = seconds(offset);
        let view = rig.view(&server());
        let told = |at: jiff::Timestamp| rig.local().duration_since(at);
        assert_eq!(told(view.read_at.unwrap()), age, "{offset}");
        assert!((0..60).contains(&told(view.failing_since.unwrap()).as_secs()), "{offset}");
        assert!((0..60).contains(&told(view.last_failure.unwrap().1).as_secs()), "{offset}");
        assert_eq!(parse(&rig.page(Format::Text)).value(family, &[]), Some(before));
    }
}
