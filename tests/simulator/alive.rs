//! The generated world lives: things move, spread, end, and keep being created, all as determined
//! by the seed.

use std::collections::{BTreeMap, BTreeSet};

use aliyun_task_exporter::sim::{Settings, Simulator};
use serde_json::Value;

use super::caller::{at, column, list, living, start};

/// All things of a kind in a truth, by owner and id.
fn things<'a>(
    truth: &'a Value,
    owners: &str,
    kind: &str,
) -> BTreeMap<(&'a str, &'a str), &'a Value> {
    let of_owner = |owner: &'a Value| {
        list(&owner[kind])
            .iter()
            .map(|thing| ((owner["id"].as_str().unwrap(), thing["id"].as_str().unwrap()), thing))
    };
    list(&truth[owners]).iter().flat_map(of_owner).collect()
}

fn seeded(seed: u64) -> Simulator {
    Simulator::new(Settings { seed, ..Settings::default() }, start())
}

#[test]
fn five_seconds_show_life_whatever_the_seed() {
    for seed in 0..50 {
        let simulator = seeded(seed);
        let before = simulator.truth(at(0.0));
        let after = simulator.truth(at(5.0));
        let changed = |owners, kind, changed: &dyn Fn(&Value, &Value) -> bool| {
            let old = things(&before, owners, kind);
            things(&after, owners, kind)
                .iter()
                .filter(|(id, new)| old.get(id).is_some_and(|old| changed(old, new)))
                .count()
        };
        let steps =
            changed("clusters", "tasks", &|old, new| old["current_step"] != new["current_step"]);
        assert!(steps >= 3, "seed {seed}: {steps} tasks stepped");
        let spread = changed("clusters", "commands", &|old, new| {
            column(&old["nodes"], "status") != column(&new["nodes"], "status")
        });
        assert!(spread >= 1, "seed {seed}: no command spread");
        let runs_ended = changed("servers", "invocations", &|old, new| {
            old["record_status"] == "Running" && new["record_status"] != "Running"
        });
        assert!(runs_ended >= 1, "seed {seed}: no invocation ended");
    }
}

#[test]
fn the_first_ten_seconds_bring_success_and_failure() {
    for seed in 0..50 {
        let simulator = seeded(seed);
        let before = simulator.truth(at(0.0));
        let open: BTreeSet<_> = things(&before, "servers", "invocations")
            .iter()
            .filter(|(_, invocation)| invocation["record_status"] != "Running")
            .map(|(id, _)| *id)
            .collect();
        let after = simulator.truth(at(10.0));
        let invocations = things(&after, "servers", "invocations");
        let ends: BTreeSet<bool> = invocations
            .iter()
            .filter(|(id, invocation)| {
                !open.contains(*id) && invocation["record_status"] != "Running"
            })
            .map(|(_, invocation)| invocation["status"] == "Success")
            .collect();
        assert_eq!(ends.len(), 2, "seed {seed}");
    }
}

#[test]
fn an_hour_knows_every_word() {
    let simulator = living();
    let mut words: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut note = |kind, word: &Value| {
        words.entry(kind).or_default().insert(word.as_str().unwrap().to_owned())
    };
    for second in (0..3600).step_by(2) {
        let truth = simulator.truth(at(f64::from(second)));
        for task in things(&truth, "clusters", "tasks").values() {
            note("task", &task["status"]);
            note("type", &task["type"]);
        }
        for command in things(&truth, "clusters", "commands").values() {
            note("command", &command["status"]);
            list(&command["nodes"]).iter().for_each(|node| {
                note("node", &node["status"]);
            });
        }
        for invocation in things(&truth, "servers", "invocations").values() {
            note("run", &invocation["status"]);
            note("record", &invocation["record_status"]);
            note("error", &invocation["error_code"]);
        }
    }
    let counts: Vec<_> = words.iter().map(|(kind, words)| (*kind, words.len())).collect();
    // Sixteen error codes, and none.
    let wanted = [
        ("command", 4),
        ("error", 17),
        ("node", 4),
        ("record", 4),
        ("run", 11),
        ("task", 4),
        ("type", 9),
    ];
    assert_eq!(counts, wanted, "{words:?}");
}

#[test]
fn what_has_ended_stays_as_it_is_and_ids_are_never_used_again() {
    let simulator = living();
    let mut ended: BTreeMap<(String, String), Value> = BTreeMap::new();
    for second in 0..600 {
        let now = at(f64::from(second));
        let truth = simulator.truth(now);
        let tasks = things(&truth, "clusters", "tasks")
            .into_iter()
            .filter(|(_, task)| task["archived"] == true);
        let invocations = things(&truth, "servers", "invocations")
            .into_iter()
            .filter(|(_, invocation)| invocation["record_status"] != "Running");
        let commands = things(&truth, "clusters", "commands")
            .into_iter()
            .filter(|(_, command)| command["status"] != "Running");
        for ((owner, id), thing) in tasks.chain(invocations).chain(commands) {
            let known =
                ended.entry((owner.to_owned(), id.to_owned())).or_insert_with(|| thing.clone());
            assert_eq!(known, thing);
            let finished = thing["finished_time"]
                .as_str()
                .map(|time| time.parse::<jiff::Timestamp>().unwrap());
            assert!(finished.is_none_or(|time| time <= now), "{thing}");
        }
    }
    assert!(ended.len() > 600, "{}", ended.len());
}

#[test]
fn the_world_is_a_function_of_seed_and_time() {
    assert_eq!(seeded(7).truth(at(1234.5)), seeded(7).truth(at(1234.5)));
    assert_ne!(seeded(7).truth(at(0.0)), seeded(8).truth(at(0.0)));
    let truth = seeded(7).truth(at(86_400.0 * 365.0));
    assert_eq!(things(&truth, "clusters", "tasks").len(), 60, "it lives for ever");
}

#[test]
fn what_is_open_is_listed_however_short_the_history_is() {
    let long = Simulator::new(Settings { task_history: 100, ..Settings::default() }, start());
    let short = Simulator::new(Settings { task_history: 0, ..Settings::default() }, start());
    let mut more_than_usual = 0;
    for second in 0..300 {
        let truths = [&long, &short].map(|simulator| simulator.truth(at(f64::from(second))));
        let open = truths.each_ref().map(|truth| {
            let mut tasks = things(truth, "clusters", "tasks");
            tasks.retain(|_, task| task["archived"] == false);
            tasks
        });
        assert_eq!(open[0], open[1]);
        more_than_usual += usize::from(things(&truths[1], "clusters", "tasks").len() > 12);
    }
    assert!(
        more_than_usual > 0,
        "a seed under which the window never had to stretch shows nothing"
    );
}

#[test]
fn the_settings_size_the_world() {
    let settings = Settings {
        clusters: 5,
        tasks: 40,
        task_history: 60,
        commands: 9,
        nodes: 3,
        servers: 6,
        invocations: 25,
        time_scale: 10.0,
        ..Settings::default()
    };
    let truth = Simulator::new(settings, start()).truth(at(100.0));
    assert_eq!(
        column(&truth["clusters"], "region"),
        ["cn-hangzhou", "cn-hangzhou", "cn-shanghai", "ap-southeast-1", "cn-hangzhou"]
    );
    for cluster in list(&truth["clusters"]) {
        let open = list(&cluster["tasks"]).iter().filter(|task| task["archived"] == false).count();
        assert!((25..=55).contains(&open), "{open}");
        assert_eq!((list(&cluster["tasks"]).len(), list(&cluster["commands"]).len()), (100, 9));
    }
    assert!(list(&truth["servers"]).iter().all(|server| list(&server["invocations"]).len() == 25));
    let nothing = Settings {
        clusters: 1,
        tasks: 0,
        commands: 0,
        nodes: 0,
        servers: 1,
        invocations: 0,
        ..Settings::default()
    };
    let truth = Simulator::new(nothing, start()).truth(at(0.0));
    assert_eq!(
        (
            list(&truth["clusters"][0]["tasks"]).len(),
            list(&truth["servers"][0]["invocations"]).len()
        ),
        (0, 0)
    );
}
