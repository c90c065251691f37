//! The boundaries of the architecture: which part may import which, which parts may use certain
//! crates and clocks, and that no two files import each other.
//!
//! A part is a top-level module. Its tests may import more; code behind `#[cfg(test)]` is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support::package;
use aliyun_task_exporter::action::Action;
use regex::Regex;

mod circles;

/// Each part, and the parts that it may import: web -> exposition -> store -> target -> config,
/// poll -> store, poll -> aliyun -> config; all of them may use action, model, catalog, secret and
/// wire_enum.
const ALLOWED: &[(&str, &[&str])] = &[
    ("main", &["cli", "commands", "logging"]),
    ("cli", &["config", "files", "sim", "web"]),
    (
        "commands",
        &[
            "aliyun", "app", "catalog", "check", "cli", "config", "demo", "doctor", "estimate",
            "files", "poll", "reload", "sim", "state", "web",
        ],
    ),
    ("logging", &["cli"]),
    ("demo", &["action", "config", "secret"]),
    ("check", &["config", "estimate", "poll", "shard", "state", "target"]),
    ("doctor", &["action", "aliyun", "config", "model", "poll", "target", "term"]),
    ("estimate", &["action", "aliyun", "config", "exposition", "model", "poll", "store", "target"]),
    (
        "app",
        &[
            "aliyun",
            "clock",
            "config",
            "exposition",
            "lease",
            "poll",
            "reload",
            "self_metrics",
            "shard",
            "store",
            "state",
            "term",
            "web",
        ],
    ),
    ("reload", &["config", "exposition", "files", "poll", "self_metrics", "shard", "store", "web"]),
    (
        "web",
        &[
            "action",
            "causes",
            "clock",
            "config",
            "exposition",
            "files",
            "lease",
            "model",
            "pem",
            "secret",
            "self_metrics",
            "state",
            "store",
            "target",
        ],
    ),
    (
        "poll",
        &[
            "action",
            "aliyun",
            "clock",
            "config",
            "model",
            "self_metrics",
            "store",
            "state",
            "target",
            "term",
        ],
    ),
    ("store", &["action", "clock", "model", "target"]),
    ("exposition", &["catalog", "clock", "config", "model", "store", "target"]),
    ("self_metrics", &["action", "aliyun", "catalog", "clock", "config", "model", "target"]),
    ("state", &["config", "target"]),
    ("target", &["config", "model", "shard"]),
    ("shard", &["config", "regions"]),
    (
        "aliyun",
        &["action", "causes", "config", "files", "model", "regions", "secret", "term", "trust"],
    ),
    ("lease", &["causes", "clock", "config", "files", "secret", "term", "trust"]),
    ("config", &["action", "secret"]),
    ("model", &["action", "wire_enum"]),
    ("action", &[]),
    ("catalog", &[]),
    ("clock", &[]),
    ("files", &[]),
    ("causes", &[]),
    ("pem", &[]),
    ("term", &["clock"]),
    ("trust", &["files", "pem"]),
    ("regions", &[]),
    ("secret", &[]),
    ("wire_enum", &[]),
    // The simulated cloud shares nothing with the client, so that neither can hide the other's
    // mistakes.
    ("sim", &[]),
    ("lib", &[]),
];

/// Restricted crates, and the only parts that may use them.
const CRATES: &[(&str, &[&str])] = &[
    ("serde_yaml", &["config"]),
    ("saphyr_parser", &["config"]),
    ("ipnet", &["config"]),
    ("reqwest", &["aliyun", "lease"]),
    ("rustls", &["aliyun", "lease", "pem", "trust", "web"]),
    ("bcrypt", &["web"]),
    ("x509_parser", &["web"]),
    ("prometheus", &["app", "exposition", "self_metrics"]),
    ("axum", &["sim", "web"]),
    ("flate2", &["exposition", "sim", "web"]),
    ("hyper", &["sim", "web"]),
    ("socket2", &["web"]),
    ("clap", &["cli", "main"]),
    ("tracing_subscriber", &["logging"]),
    ("maud", &["web"]),
    ("redb", &["state"]),
    ("rmp_serde", &["state"]),
    ("rustix", &["clock", "self_metrics", "state", "web"]),
];

/// The only files that may read a clock; everywhere else the time is an argument.
const CLOCKS: &[&str] = &[
    "src/aliyun/credentials/http.rs",
    "src/aliyun/mod.rs",
    "src/app.rs",
    "src/app/standby.rs",
    "src/clock.rs",
    "src/commands.rs",
    "src/doctor/mod.rs",
    "src/lease/keeper.rs",
    "src/logging/mod.rs",
    "src/poll/runner.rs",
    "src/reload.rs",
    "src/poll/discovery_pass.rs",
    "src/sim/server.rs",
    "src/state/file.rs",
    "src/term.rs",
    "src/web/guard.rs",
    "src/web/metrics.rs",
    "src/web/mod.rs",
    "src/web/scrapes.rs",
    "src/web/server.rs",
    "src/web/shared.rs",
];

/// A source file: its path in the package, its part, and its lines without comments and tests.
struct Source {
    path: String,
    part: String,
    lines: Vec<(usize, String)>,
}

fn sources() -> Vec<Source> {
    let root = package("");
    let files = crate::support::files("src", ".rs").into_iter();
    files
        .map(|file| {
            source(file.strip_prefix(&root).unwrap(), &std::fs::read_to_string(&file).unwrap())
        })
        .collect()
}

fn source(path: &Path, text: &str) -> Source {
    let part = path.components().nth(1).unwrap().as_os_str().to_string_lossy();
    let lines = text
        .lines()
        .enumerate()
        .take_while(|(_, line)| !["#[cfg(test)]", "#![cfg(test)]"].contains(line));
    let code = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    Source {
        path: path.to_string_lossy().into_owned(),
        part: part.trim_end_matches(".rs").to_owned(),
        lines: code.map(|(number, line)| (number + 1, line.to_owned())).collect(),
    }
}

/// The parts that a line imports from `root`: one, or a list in braces.
fn named(line: &str, root: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (place, _) in line.match_indices(root) {
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        if line[..place].ends_with(is_word) {
            continue;
        }
        let rest = &line[place + root.len()..];
        match rest.strip_prefix('{').and_then(|list| list.split_once('}')) {
            Some((list, _)) => names.extend(list.split(',').map(|name| name.trim().to_owned())),
            None => names.push(rest.chars().take_while(|character| is_word(*character)).collect()),
        }
    }
    names
        .iter()
        .map(|name: &String| name.split("::").next().unwrap().to_owned())
        .filter(|n| !n.is_empty())
        .collect()
}

/// Every dependency between parts, with the places that cause it.
fn edges(sources: &[Source]) -> BTreeMap<(String, String), Vec<String>> {
    let mut edges: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for source in sources {
        for (number, line) in &source.lines {
            let of_crate =
                named(line, "crate::").into_iter().chain(named(line, "aliyun_task_exporter::"));
            for part in of_crate.filter(|part| *part != source.part) {
                let place = format!("{}:{number}", source.path);
                edges.entry((source.part.clone(), part)).or_default().push(place);
            }
        }
    }
    edges
}

#[test]
fn no_part_knows_what_it_must_not_know() {
    let sources = sources();
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ALLOWED.iter().map(|(part, others)| (*part, others.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for ((from, to), places) in edges(&sources) {
        let known =
            allowed.get(&*from).unwrap_or_else(|| panic!("{from} has no place in the house yet"));
        if !known.contains(&*to) {
            wrong.push(format!("{from} -> {to}: {}", places.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_names_parts_that_exist_and_no_circle() {
    let parts: BTreeSet<String> = sources().into_iter().map(|source| source.part).collect();
    let table: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    assert!(table.keys().all(|part| parts.contains(*part)), "a part is gone");
    for part in table.keys() {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut next = table[part].to_vec();
        while let Some(other) = next.pop() {
            assert_ne!(other, *part, "{part} leads back to itself");
            if reached.insert(other) {
                next.extend(table.get(other).into_iter().copied().flatten());
            }
        }
    }
}

#[test]
fn crates_with_consequences_are_named_in_one_place() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in &source.lines {
            for (name, parts) in CRATES.iter().filter(|(_, parts)| !parts.contains(&&*source.part))
            {
                let used = line.match_indices(&format!("{name}::")).any(|(place, _)| {
                    !line[..place].ends_with(|character: char| {
                        character.is_alphanumeric() || "_:".contains(character)
                    })
                });
                if used {
                    wrong.push(format!(
                        "{}:{number} names {name}, which is for {parts:?}",
                        source.path
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_time_is_an_argument_but_for_the_outermost_walls() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !CLOCKS.contains(&&*source.path)) {
        for (number, line) in &source.lines {
            if ["Timestamp::now", "Instant::now", "Moment::now", "SystemTime"]
                .iter()
                .any(|clock| line.contains(clock))
            {
                wrong.push(format!("{}:{number}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "these look at a clock: {}", wrong.join(", "));
}

#[test]
fn nothing_knows_whether_the_cloud_is_real() {
    for source in sources()
        .iter()
        .filter(|source| !["sim", "cli", "commands", "demo", "lib"].contains(&&*source.part))
    {
        for (number, line) in &source.lines {
            let lower = line.to_lowercase();
            assert!(!lower.contains("simulat"), "{}:{number}: {line}", source.path);
        }
    }
}

/// The operations named in a file's string literals.
fn operations_named(source: &Source) -> Vec<String> {
    let literal = r##"(?s)r#".*?"#|r"[^"]*"|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\[^']+)'|//[^\n]*"##;
    let literal = Regex::new(literal).unwrap();
    let names: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
    let name = Regex::new(&format!(r"\b(?:{})\b", names.join("|"))).unwrap();
    let code: Vec<&str> = source.lines.iter().map(|(_, line)| &**line).collect();
    let code = code.join("\n");
    let literals = literal.find_iter(&code).map(|found| found.as_str());
    let literals = literals.filter(|literal| !literal.starts_with("//"));
    let named = literals.flat_map(|literal| name.find_iter(literal));
    named.map(|found| found.as_str().to_owned()).collect()
}

#[test]
fn operations_are_named_by_the_two_tables_alone() {
    for source in sources() {
        let named = operations_named(&source);
        assert!(named.is_empty(), "{} names {named:?} in text: use `Action`", source.path);
    }
    let text = "f('\"', \"ListTasks\"); // \"ListRegions\"\ng(\"DescribeInvocations,\n x ListInstances y MyListTasks\");";
    let found = operations_named(&source(Path::new("src/web/mod.rs"), text));
    assert_eq!(found, ["ListTasks", "DescribeInvocations", "ListInstances"], "it finds them");
}

#[test]
fn a_wrong_edge_would_be_found() {
    let text = "use crate::{model, sim::World};\nfn f() { crate::web::serve() }\n// crate::cli\n#[cfg(test)]\ncrate::app";
    let found: Vec<_> =
        edges(&[source(Path::new("src/aliyun/mod.rs"), text)]).into_iter().collect();
    let wanted = ["model", "sim", "web"].map(|to| ("aliyun".to_owned(), to.to_owned()));
    assert_eq!(found.iter().map(|(edge, _)| edge.clone()).collect::<Vec<_>>(), wanted);
    assert_eq!(found[2].1, ["src/aliyun/mod.rs:2"]);
}
