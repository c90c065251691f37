//! What runs longer than it may: the timeouts that the lists send.

use aliyun_task_exporter::config::SwasStrategy;
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::sim::{CommandSpec, InvocationSpec, World};

use crate::support::harness::Harness;
use crate::support::page::{Page, parse};
use crate::support::{seconds, start, worlds};

const SWAS: &str = "aliyun_swas_invocation_timeout_seconds";
const STARTED: &str = "aliyun_swas_invocation_started_timestamp_seconds";
const EHPC: &str = "aliyun_ehpc_invocation_timeout_seconds";
const FIRST_SEEN: &str = "aliyun_ehpc_invocation_first_seen_timestamp_seconds";

fn page(harness: &Harness) -> Page {
    parse(&harness.page(Format::Text))
}

fn world() -> World {
    let mut world = worlds::servers(1, 0);
    let stuck = InvocationSpec { timeout: Some(30), ..worlds::invocation("stuck", 10, 500, 0) };
    let never = InvocationSpec { timeout: Some(0), ..worlds::invocation("never", 10, 500, 0) };
    for spec in [stuck, never] {
        world.add_invocation("s00", spec).unwrap();
    }
    worlds::add_cluster(&mut world, "c");
    let command = CommandSpec { timeout: 45, ..worlds::command("k", 2, 20, 500) };
    world.add_command("c", command).unwrap();
    world
}

fn harness(strategy: SwasStrategy) -> Harness {
    Harness::scripted_by(world(), strategy).with_state()
}

#[test]
fn an_open_invocation_has_the_timeout_that_its_list_sends_until_it_has_ended() {
    let mut harness = harness(SwasStrategy::PerRegion);
    harness.run_until(300);
    let stuck = [("instance_id", "s00"), ("invoke_id", "stuck")];
    let never = [("instance_id", "s00"), ("invoke_id", "never")];
    let open = page(&harness);
    assert_eq!(open.value(SWAS, &stuck), Some(30.0));
    let started = open.value(STARTED, &stuck).unwrap() - start().as_second() as f64;
    assert!((10.0..15.0).contains(&started), "{started}");
    assert_eq!(open.value(SWAS, &never), None, "a timeout of 0 is none");
    assert!(open.value(STARTED, &never).is_some());
    harness.restart(5);
    assert_eq!(page(&harness).value(SWAS, &stuck), Some(30.0), "it is remembered");
    harness.run_for(400);
    let ended = page(&harness);
    assert_eq!(ended.value(SWAS, &stuck), None);
    assert!(ended.value(STARTED, &stuck).is_some(), "of its result");
}

#[test]
fn the_list_of_a_single_server_sends_none() {
    let mut harness = harness(SwasStrategy::PerServer);
    harness.run_until(300);
    let page = page(&harness);
    assert_eq!((page.all(SWAS, &[]).count(), page.all(STARTED, &[]).count()), (0, 0));
}

#[test]
fn an_open_command_has_its_timeout_and_when_it_was_first_seen() {
    let mut harness = harness(SwasStrategy::PerServer);
    harness.run_until(300);
    let command = [("cluster_id", "c"), ("command_id", "k")];
    let seen = page(&harness).value(FIRST_SEEN, &command).unwrap();
    let since = (seen - start().as_second() as f64) as i64;
    assert!((20..60).contains(&since), "{since}: no earlier than it began");
    assert_eq!(page(&harness).value(EHPC, &command), Some(45.0));
    harness.restart(5);
    harness.run_for(60);
    assert_eq!(page(&harness).value(FIRST_SEEN, &command), Some(seen), "it is remembered");
    harness.run_until(700);
    assert_eq!(
        (page(&harness).value(EHPC, &command), page(&harness).value(FIRST_SEEN, &command)),
        (None, None)
    );

    let mut config = harness.config.clone();
    config.clusters[0].commands.ids = vec!["again".into()];
    let again = CommandSpec { timeout: 45, ..worlds::command("again", 2, 690, 2000) };
    harness.sim.world_mut().add_command("c", again).unwrap();
    harness.apply(config);
    harness.run_for(seconds(100).as_secs());
    let named = [("cluster_id", "c"), ("command_id", "again")];
    assert!(page(&harness).value(FIRST_SEEN, &named).is_some());
    assert_eq!(page(&harness).value(EHPC, &named), None, "no list is read");
}
