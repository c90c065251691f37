use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Encoding, Exposition, Format};
use crate::clock::Moment;
use crate::config::{InvocationWindow, Metrics};
use crate::model::{Failure, ListState, Reading, Reason, SwasInvocationsReading};
use crate::store::{PollEnd, Store};
use crate::target::{Kind, Scope, Target, TargetId};

fn target(id: &str) -> Arc<Target> {
    Arc::new(Target {
        id: TargetId { kind: Kind::SwasInvocations, id: id.into() },
        account: "a".into(),
        quota_group: "a".into(),
        region: "r".into(),
        name: "n".into(),
        scope: Scope::SwasInvocations(InvocationWindow::default()),
    })
}

fn at(seconds: i64) -> Moment {
    Moment {
        wall: Timestamp::from_second(1_700_000_000 + seconds).unwrap(),
        boot: SignedDuration::from_secs(5000 + seconds),
    }
}

fn end(failed: bool, seconds: i64) -> PollEnd {
    let failure = Failure { reason: Reason::Timeout, message: "m".into(), advice: "a".into() };
    PollEnd {
        lists: ListState::default(),
        failure: failed.then_some(failure),
        ended: at(seconds),
        took: Duration::from_secs(1),
        next: at(seconds + 30).wall,
        stale_after: Duration::from_secs(600),
    }
}

fn exposition(targets: &[&str]) -> (Arc<Store>, Exposition) {
    let store = Arc::new(Store::default());
    store.retarget(targets.iter().map(|id| target(id)).collect());
    (Arc::clone(&store), Exposition::new(store, Metrics::default()))
}

fn read(store: &Store, id: &str, seconds: i64) {
    store.record(
        &target(id).id,
        Reading::SwasInvocations(SwasInvocationsReading::default()),
        at(seconds),
    );
}

fn shown(exposition: &Exposition, seconds: i64) -> String {
    let (body, _) = exposition.body(Format::Text, Encoding::Identity, at(seconds));
    body.frames().iter().map(|frame| std::str::from_utf8(frame).unwrap()).collect()
}

#[test]
fn values_are_kept_while_polls_fail_then_withdrawn_and_the_failure_is_told_all_the_while() {
    let (store, exposition) = exposition(&["s"]);
    let id = target("s").id.clone();
    assert!(
        !shown(&exposition, 0).contains("target_up{"),
        "nothing is known before the first poll has ended"
    );
    read(&store, "s", 0);
    store.poll_ended(&id, end(false, 0));
    store.poll_ended(&id, end(true, 300));
    let kept = shown(&exposition, 599);
    assert!(kept.contains("aliyun_swas_invocations{"));
    let labels = "{account=\"a\",kind=\"swas_invocations\",target=\"s\"}";
    assert!(kept.contains(&format!("target_up{labels} 0")));
    assert!(kept.contains("reason=\"timeout\"} 1"));
    assert!(kept.contains(&format!("last_success_timestamp_seconds{labels} 1700000000\n")));
    let is_ready = |seconds| exposition.ready_page(at(seconds)).is_some();
    assert!(is_ready(599) && !is_ready(600), "it is true until 600");
    let withdrawn = shown(&exposition, 600);
    assert!(
        !withdrawn.contains("aliyun_swas_invocations{") && withdrawn.contains("target_failing")
    );
    assert!(
        withdrawn.contains("aliyun_swas_invocations_finished_total{"),
        "a count does not go stale"
    );
    assert!(store.views(at(600))[0].reading.is_none());
}

#[test]
fn a_target_that_goes_takes_its_series_with_it_and_one_that_stays_keeps_its_values() {
    let (store, exposition) = exposition(&["a", "b"]);
    read(&store, "a", 0);
    read(&store, "b", 0);
    assert!(shown(&exposition, 0).contains("instance_id=\"a\""));
    store.retarget(vec![target("b")]);
    let page = shown(&exposition, 1);
    assert!(!page.contains("target=\"a\"") && !page.contains("instance_id=\"a\""));
    assert!(
        page.contains("aliyun_swas_server_info{account=\"a\",region_id=\"r\",instance_id=\"b\"")
    );
    assert!(page.contains("aliyun_swas_invocations{instance_id=\"b\""));
}

#[test]
fn a_target_that_goes_and_comes_back_between_two_looks_begins_without_values() {
    let (store, exposition) = exposition(&["a"]);
    read(&store, "a", 0);
    assert!(shown(&exposition, 0).contains("aliyun_swas_invocations{instance_id=\"a\""));
    store.retarget(Vec::new());
    store.retarget(vec![target("a")]);
    let page = shown(&exposition, 1);
    assert!(
        page.contains("aliyun_swas_server_info{") && !page.contains("aliyun_swas_invocations{")
    );
}

/// Another thread takes the page and everything new, and then panics.
fn panic_while_rendering(exposition: &Exposition) {
    std::thread::scope(|scope| {
        let rendering = scope.spawn(|| {
            let mut renderer = exposition.lock();
            exposition.render(&mut renderer, at(0));
            drop(exposition.page.swap(None));
            panic!("this panic is meant");
        });
        assert!(rendering.join().is_err());
    });
    assert!(exposition.renderer.is_poisoned() && exposition.ready_page(at(0)).is_none());
}

#[test]
fn a_page_that_was_left_half_put_together_is_put_together_from_the_beginning() {
    let (store, exposition) = exposition(&["a", "b", "c"]);
    for (id, seconds) in [("a", 0), ("b", -1000)] {
        read(&store, id, seconds);
        store.poll_ended(&target(id).id, end(false, seconds));
    }
    let whole = shown(&exposition, 0);
    let stale = "aliyun_swas_invocations{instance_id=\"b\"";
    assert!(whole.contains("finished_total{instance_id=\"b\"") && !whole.contains(stale));
    panic_while_rendering(&exposition);
    assert_eq!(shown(&exposition, 0), whole);

    read(&store, "b", 0);
    panic_while_rendering(&exposition);
    let whole = shown(&exposition, 0);
    assert!(whole.contains(stale), "what was new was not lost");

    panic_while_rendering(&exposition);
    exposition.update(at(0));
    assert!(!exposition.renderer.is_poisoned(), "polling recovers too");
    assert_eq!(shown(&exposition, 0), whole);

    store.retarget(vec![target("c")]);
    panic_while_rendering(&exposition);
    assert!(!shown(&exposition, 0).contains("instance_id=\"a\""));
}
