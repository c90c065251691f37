//! Worlds, faults, removals and kills at random: whatever comes together, each end is counted once and nothing is forgotten.
//!
//! The worlds stay inside what the API lists: what it no longer shows nobody can count.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aliyun_task_exporter::sim::{ListOrder, Settings, Simulator, TaskEnd, World};
use aliyun_task_exporter::target::{Kind, TargetId};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::support::rig::{Kill, Rig, config_for, id};
use crate::support::truth::{Ends, by_word, ended, finished, is_open, open, things};
use crate::support::worlds::{self, command, run, task};
use crate::support::{seconds, start};

const ORDERS: [ListOrder; 3] = [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering];
const KILLS: [Kill; 3] = [Kill::BeforeCommit, Kill::AfterCommit, Kill::AfterPublish];

/// What strikes for a while: each passes.
const FAULTS: [&str; 6] = [
    r#"{"kind": "error", "status": 500, "code": "InternalError"}"#,
    r#"{"kind": "throttle"}"#,
    r#"{"kind": "truncated"}"#,
    r#"{"kind": "reset"}"#,
    r#"{"kind": "repeated_page"}"#,
    r#"{"kind": "error", "status": 503, "code": "ServiceUnavailable"}"#,
];
const ACTIONS: [&str; 6] = [
    "ListTasks",
    "ListCommands",
    "ListInvocationStatus",
    "ListInvocationResults",
    "DescribeInvocations",
    "DescribeInvocationResult",
];

/// After so many seconds nothing begins, fails, vanishes or dies any more.
const BUSY: i64 = 2700;
/// Nothing lives longer.
const LONGEST: i64 = 900;

fn targets() -> [TargetId; 4] {
    let server = |name| id(Kind::SwasInvocations, name);
    [id(Kind::EhpcTasks, "c"), id(Kind::EhpcInvocations, "c"), server("s00"), server("s01")]
}

/// A cluster and two servers: a past of more than a page, and lives of a few seconds up to an hour.
fn world(random: &mut SmallRng) -> World {
    let mut world = worlds::servers(2, 0);
    worlds::add_cluster(&mut world, "c");
    let mut life = |past: bool| {
        let length = match random.random_range(0..4) {
            0 => random.random_range(1..20),
            1 | 2 => random.random_range(20..300),
            _ => random.random_range(300..LONGEST),
        };
        let from = if past { random.random_range(-40_000..-2000) } else { random.random_range(-200..BUSY) };
        (from, from + length, random.random_range(0..3))
    };
    for number in 0..130 {
        let ((from, to, exit), name) = (life(number < 60), format!("t{number}"));
        let end = [TaskEnd::Success, TaskEnd::Failed, TaskEnd::PartialFail][exit as usize];
        world.add_task("c", aliyun_task_exporter::sim::TaskSpec { end, ..task(&name, from, to) }).unwrap();
        for server in ["s00", "s01"] {
            let (from, to, exit) = life(number < 60);
            world.add_run(server, run(&format!("{server}-{number}"), from, to, exit)).unwrap();
        }
    }
    for number in 0..60 {
        let (from, to, _) = life(number < 20);
        world.add_command("c", command(&format!("k{number}"), 2, from, to)).unwrap();
    }
    world
}

fn rig(random: &mut SmallRng) -> Rig {
    let world = world(random);
    let sim = Simulator::with_world(Settings::default(), world, start());
    let mut config = config_for(&sim);
    config.poll.history_interval = Duration::from_secs(450);
    // Windows smaller than the lists: what they drop must stay known. A discovered command is counted inside its window only.
    config.clusters[0].tasks.max_tasks = 40;
    config.clusters[0].commands.discover = 70;
    config.servers.iter_mut().for_each(|server| server.window.max_invocations = 30);
    config.servers[0].window.max_age = Duration::from_secs(1800);
    Rig::new(sim, config).with_state()
}

/// What happens to a world.
#[derive(Clone, Copy)]
struct Troubles {
    faults: bool,
    removals: bool,
    kills: bool,
}

struct Story {
    rig: Rig,
    random: SmallRng,
    /// What was open, shown as such, and vanished.
    vanished: BTreeMap<TargetId, BTreeSet<String>>,
    restarts: u32,
}

impl Story {
    /// Lets something happen, and time go by.
    fn go_on(&mut self, troubles: Troubles) {
        let pause = self.random.random_range(1..90);
        if troubles.faults && self.random.random_bool(0.4) {
            let (fault, action) =
                (self.random.random_range(0..FAULTS.len()), self.random.random_range(0..ACTIONS.len()));
            let times = self.random.random_range(1..8);
            let (fault, action) = (FAULTS[fault], ACTIONS[action]);
            self.rig.fault(&format!(r#"{{"match": {{"action": "{action}"}}, "fault": {fault}, "times": {times}}}"#));
        }
        if troubles.removals && self.random.random_bool(0.2) {
            self.remove();
        }
        if troubles.kills && self.random.random_bool(0.3) {
            let kill = KILLS[self.random.random_range(0..KILLS.len())];
            self.rig.kill_at(kill, self.random.random_range(1..12));
        }
        self.rig.run_for(pause);
        if self.rig.is_dead || (troubles.kills && self.random.random_bool(0.2)) {
            let down = match self.random.random_range(0..4) {
                0 => 0,
                1 | 2 => self.random.random_range(1..60),
                _ => self.random.random_range(60..600),
            };
            self.restarts += 1;
            self.rig.restart(down);
        }
    }

    /// Makes something vanish that is open and was shown as open.
    fn remove(&mut self) {
        let target = &targets()[self.random.random_range(0..4)];
        let truth = self.rig.sim.truth(self.rig.now);
        let Some((reading, _)) = self.rig.published(target) else { return };
        let shown = open(reading);
        let found = things(&truth, target).find(|(id, status)| is_open(status) && shown.contains(*id));
        if let Some((id, _)) = found {
            self.rig.sim.world_mut().remove(id);
            self.vanished.entry(target.clone()).or_default().insert(id.to_owned());
        }
    }
}

/// Tells one story to its end and checks what is left.
fn tell(seed: u64, troubles: Troubles) -> u32 {
    let context = format!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let mut rig = rig(&mut random);
    rig.sim.settings_mut().order = ORDERS[seed as usize % 3];
    rig.run_until(20);
    let before: BTreeMap<TargetId, Ends> = targets()
        .into_iter()
        .map(|id| {
            let first = rig.first_commit(&id).unwrap_or_else(|| panic!("{context}: {id:?} was not read"));
            (id.clone(), ended(&rig.sim.truth(first), &id))
        })
        .collect();
    let mut story = Story { rig, random, vanished: BTreeMap::new(), restarts: 0 };
    while story.rig.now < start() + seconds(BUSY) {
        story.go_on(troubles);
    }
    let Story { mut rig, vanished, restarts, .. } = story;
    rig.sim.clear_faults();
    if troubles.kills {
        rig.restart(1);
    }
    // All is over by then, the history is read again, and operations that rest have woken up.
    rig.run_for(LONGEST + 900);
    let truth = rig.sim.truth(rig.now);
    for target in targets() {
        let all = ended(&truth, &target);
        let wanted = by_word(all.difference(&before[&target]));
        let reading = rig.reading(&target);
        assert_eq!(finished(&reading), wanted, "{context}: {target:?}");
        assert_eq!(rig.lost(&target), vanished.get(&target).cloned().unwrap_or_default(), "{context}: {target:?}");
        assert_eq!(open(&reading), BTreeSet::new(), "{context}: {target:?}");
        assert!(wanted.values().sum::<u64>() > 15, "{context}: the world stands still");
    }
    restarts
}

const NONE: Troubles = Troubles { faults: false, removals: false, kills: false };

#[test]
fn each_end_is_counted_once_whatever_dies_and_whenever() {
    let restarts: u32 = (1..=3).map(|seed| tell(seed, Troubles { kills: true, ..NONE })).sum();
    assert!(restarts > 30, "{restarts}");
}

#[test]
fn each_end_is_counted_once_whatever_fails() {
    for seed in 101..=104 {
        tell(seed, Troubles { faults: true, ..NONE });
    }
}

#[test]
fn each_end_is_counted_once_or_lost_whatever_fails_vanishes_and_dies() {
    for seed in 201..=206 {
        tell(seed, Troubles { faults: true, removals: true, kills: true });
    }
}

#[test]
fn a_living_world_is_followed_through_any_kills() {
    for seed in 301..=303 {
        let order = ORDERS[seed as usize % 3];
        let (clusters, servers, commands) = (1, 2, 8);
        let settings = Settings { seed, order, clusters, servers, commands, ..Settings::default() };
        let mut rig = Rig::living(settings).with_state();
        rig.config.clusters[0].commands.discover = 40;
        rig.apply(rig.config.clone());
        rig.run_until(20);
        let ids: BTreeSet<TargetId> = rig.polled.iter().map(|poll| poll.target.clone()).collect();
        let mut random = SmallRng::seed_from_u64(seed);
        let mut opened: BTreeMap<TargetId, BTreeSet<String>> = BTreeMap::new();
        while rig.now < start() + seconds(600) {
            rig.kill_at(KILLS[random.random_range(0..3)], random.random_range(1..9));
            rig.run_for(random.random_range(5..60));
            for id in &ids {
                let shown = rig.published(id).map(|(reading, _)| open(reading)).unwrap_or_default();
                opened.entry(id.clone()).or_default().extend(shown);
            }
            rig.restart(random.random_range(0..8));
        }
        rig.run_for(35);
        for id in &ids {
            let reading = rig.reading(id);
            let mut ends: Vec<String> = rig.ends(id).collect();
            let counted: u64 = finished(&reading).values().sum();
            assert_eq!(counted, ends.len() as u64, "seed {seed}, {id:?}");
            ends.sort_unstable();
            assert!(ends.windows(2).all(|pair| pair[0] != pair[1]), "seed {seed}, {id:?}: {ends:?}");
            let over: BTreeSet<String> = ends.into_iter().chain(rig.lost(id)).chain(open(&reading)).collect();
            let forgotten = opened[id].difference(&over).next();
            assert_eq!(forgotten, None, "seed {seed}, {id:?}: it was open");
            assert!(counted > 5, "seed {seed}, {id:?}: {counted}");
        }
    }
}
