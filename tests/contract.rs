//! The catalog against everything that names metrics: documents, dashboards, alerts, the golden
//! page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support::{files, package, read};
use aliyun_task_exporter::action::{Action, Product};
use aliyun_task_exporter::catalog::{self, CATALOG, Family, Kind};
use aliyun_task_exporter::exposition::Part;
use aliyun_task_exporter::model::{
    BusinessStatus, ClusterStatus, InvocationStatus, InvokeStatus, Reason, ServerStatus,
    TaskStatus, TaskType,
};
use aliyun_task_exporter::{sim, target};

/// Labels that Prometheus or a scrape job adds, and the label of buckets.
const GIVEN: [&str; 4] = ["job", "instance", "exporter_url", "le"];

/// Families that no dashboard needs, each with its reason.
const NOT_SHOWN: &[(&str, &str)] = &[
    (
        "aliyun_task_exporter_state_copied_timestamp_seconds",
        "a few seconds ago, as long as no alert tells otherwise",
    ),
    ("aliyun_ehpc_invocation_timeout_seconds", "a limit: the alert tells what runs beyond it"),
    ("aliyun_swas_invocation_timeout_seconds", "a limit: the alert tells what runs beyond it"),
    ("aliyun_swas_server_business_status", "the alert on expiry comes before it changes"),
    (
        "aliyun_task_exporter_shard_units",
        "how evenly processes share the targets; check --shard.count shows it",
    ),
    (
        "aliyun_swas_invocation_records",
        "the second axis of an invocation's status: for those who know the record's words",
    ),
    (
        "aliyun_task_exporter_target_total_excess_entries",
        "a total found to be wrong, which harms nothing: told once in the log",
    ),
    (
        "aliyun_task_exporter_targets_above_series_limit",
        "a limit that cannot be kept, which an alert tells; the panels show what it leaves out",
    ),
];

/// The text of a file that names metrics, with its path.
struct Text {
    path: String,
    text: String,
}

fn texts(paths: impl IntoIterator<Item = PathBuf>) -> Vec<Text> {
    let root = package("");
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
    paths
        .into_iter()
        .map(|path| Text { path: name(&path), text: std::fs::read_to_string(&path).unwrap() })
        .collect()
}

fn dashboards() -> Vec<Text> {
    texts(files("dashboards", ".json"))
}

/// What people look at: dashboards, with the rules that they need, and alerts.
fn watched() -> Vec<Text> {
    let rules = ["deploy/alerts.yaml", "deploy/rules.yaml"].map(package);
    texts(files("dashboards", ".json").into_iter().chain(rules))
}

/// Everything that names metrics.
fn all() -> Vec<Text> {
    let documents = files("docs", ".md")
        .into_iter()
        .chain(files("dashboards", ".md"))
        .chain(files("deploy", ".yaml"));
    let single =
        ["README.md", "README.zh-CN.md", "config.example.yaml", "config.example.zh-CN.yaml"];
    texts(files("dashboards", ".json").into_iter().chain(documents).chain(single.map(package)))
}

/// The metrics named in a text, each with what follows it. Recorded ones, such as
/// `cluster:aliyun_ehpc_tasks:sum`, are no families.
fn names(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.match_indices("aliyun_")
        .filter(move |(place, _)| !text[..*place].ends_with(|c| is_word(c) || c == ':'))
        .filter_map(move |(place, _)| {
            let rest = &text[place..];
            let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
            // The crate's own name is no metric.
            (&rest[..end] != "aliyun_task_exporter").then(|| rest.split_at(end))
        })
}

/// The family of a sample.
fn family(name: &str) -> Option<&'static Family> {
    let exact = CATALOG.iter().find(|family| family.name == name);
    let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
    let histogram =
        CATALOG.iter().find(|family| family.kind == Kind::Histogram && Some(family.name) == base);
    exact.or(histogram).copied()
}

/// The label names and the quoted values in `{…}` at the beginning of a text; quotes may be
/// escaped, as in JSON.
fn matchers(text: &str) -> Vec<(String, String)> {
    let Some((inside, _)) = text.strip_prefix('{').and_then(|inside| inside.split_once('}')) else {
        return Vec::new();
    };
    let plain = inside.replace("\\\"", "\"");
    let mut found = Vec::new();
    let mut rest = plain.as_str();
    while let Some((name, after)) = rest.split_once(['=', '!']) {
        let Some((_, after)) = after.split_once('"') else { break };
        let Some((value, after)) = after.split_once('"') else { break };
        found.push((name.trim_matches([',', ' ', '\n']).to_owned(), value.to_owned()));
        rest = after;
    }
    found
}

#[test]
fn the_document_of_metrics_is_the_catalog() {
    let path = "docs/metrics.md";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(package(path), catalog::markdown()).unwrap();
    }
    assert!(
        read(path) == catalog::markdown(),
        "{path} is out of date: UPDATE_GOLDEN=1 rewrites it"
    );
}

#[test]
fn every_metric_that_is_named_anywhere_exists() {
    let mut wrong = Vec::new();
    for Text { path, text } in all() {
        let unknown = names(&text).filter(|(name, _)| family(name).is_none());
        wrong.extend(unknown.map(|(name, _)| format!("{path}: {name}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_label_that_is_asked_for_exists() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for Text { path, text } in all() {
        for (name, rest) in names(&text) {
            let Some(family) = family(name) else { continue };
            for (label, _) in matchers(rest) {
                seen += 1;
                if !family.labels.contains(&&*label) && !GIVEN.contains(&&*label) {
                    wrong.push(format!("{path}: {name} has no label {label}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(seen > 100, "only {seen} labels were seen");
}

#[test]
fn every_word_that_a_label_is_compared_with_can_occur() {
    let mut words: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let statuses = [
        TaskStatus::LABELS,
        InvokeStatus::LABELS,
        InvocationStatus::LABELS,
        ClusterStatus::LABELS,
        ServerStatus::LABELS,
        BusinessStatus::LABELS,
    ]
    .concat();
    words.insert("role", ["manager", "compute"].into());
    words.insert("state", ["normal", "operating", "stopped", "exception"].into());
    words.insert("status", statuses.into_iter().collect());
    words.insert("task_type", TaskType::LABELS.iter().copied().collect());
    words.insert("kind", target::Kind::ALL.iter().map(|kind| kind.label()).collect());
    words.insert("reason", Reason::ALL.iter().map(|reason| reason.label()).collect());
    words.insert("outcome", words["reason"].iter().copied().chain(["ok"]).collect());
    // Reasons for which series are left out.
    words.entry("reason").or_default().extend(Part::ALL.map(Part::label));
    words.insert("operation", Action::ALL.iter().map(|action| action.name()).collect());
    words.insert("product", Product::ALL.map(Product::label).into());
    let mut wrong = Vec::new();
    for Text { path, text } in all() {
        for (name, rest) in names(&text) {
            for (label, value) in
                matchers(rest).into_iter().filter(|(_, value)| !value.contains(['$', '.', '…']))
            {
                let Some(known) = words.get(&*label) else { continue };
                let strange =
                    value.split('|').filter(|word| !word.is_empty() && !known.contains(word));
                wrong.extend(
                    strange.map(|word| format!("{path}: {name}: {label} is never {word:?}")),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_label_that_is_grouped_or_joined_by_exists() {
    let labels: BTreeSet<&str> =
        CATALOG.iter().flat_map(|family| family.labels).copied().chain(GIVEN).collect();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for Text { path, text } in watched() {
        for word in ["by (", "on (", "group_left (", "group_right (", "ignoring (", "without ("] {
            for (place, _) in text.match_indices(word) {
                if text[..place].ends_with(char::is_alphanumeric) {
                    continue;
                }
                let list = text[place + word.len()..].split(')').next().unwrap();
                let made = |label: &&str| {
                    text.contains(&format!("\\\"{label}\\\", \\\"$1\\\"")) || labels.contains(label)
                };
                for label in list.split(',').map(str::trim).filter(|label| !label.is_empty()) {
                    seen += 1;
                    if !made(&label) {
                        wrong.push(format!("{path}: {word}{list}): there is no label {label}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(seen > 100, "only {seen} labels were seen");
}

#[test]
fn every_dependency_has_its_reason() {
    let read = |path: &str| std::fs::read_to_string(package(path)).unwrap();
    let manifest = read("Cargo.toml");
    let design = read("docs/design.md");
    let reasons = design.split("## Dependencies").nth(1).unwrap().split("\n## ").next().unwrap();
    let named: BTreeSet<&str> =
        reasons.split(|c: char| !(c.is_alphanumeric() || "_-".contains(c))).collect();
    let dependencies =
        manifest.split("[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let mut seen = 0;
    for line in dependencies.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = line.split(" =").next().unwrap();
        assert!(named.contains(name), "{name} has no reason in docs/design.md");
        seen += 1;
    }
    assert!(seen > 30, "only {seen} were seen");
}

/// A line's folder is that of its indentation; folders on the line itself, and one that is named
/// like its first file, lie in it.
#[test]
fn every_file_of_the_source_layout_is_where_it_says() {
    let design = read("docs/design.md");
    let layout = design.split("## Source layout").nth(1).unwrap().split("```").nth(1).unwrap();
    let mut folders = vec![package("src")];
    let mut seen = 0;
    for line in layout.lines().filter(|line| line.starts_with("  ")) {
        let depth = (line.len() - line.trim_start().len()) / 2;
        folders.truncate(depth);
        let folder = folders.last().unwrap().clone();
        let is_part = |c: char| !(c.is_alphanumeric() || "_/.".contains(c));
        let words: Vec<&str> = line.split(is_part).filter(|word| !word.is_empty()).collect();
        let own = words.iter().filter(|word| word.ends_with('/'));
        let mut here: Vec<PathBuf> = own.map(|word| folder.join(word)).collect();
        here.extend(words[0].strip_suffix(".rs").map(|stem| folder.join(stem)));
        here.push(folder);
        for file in words.iter().filter(|word| word.ends_with(".rs")) {
            let is_there = here.iter().any(|folder| folder.join(file).is_file());
            assert!(is_there, "docs/design.md: {file} is not there: {line}");
            seen += 1;
        }
        folders.push(here.swap_remove(0));
    }
    assert!(seen > 150, "only {seen} were seen");
}

#[test]
fn every_family_is_on_a_dashboard_or_has_a_reason_not_to_be() {
    let texts = dashboards();
    let used: BTreeSet<&str> = texts
        .iter()
        .flat_map(|text| names(&text.text))
        .filter_map(|(name, _)| Some(family(name)?.name))
        .collect();
    let excused: BTreeMap<&str, &str> = NOT_SHOWN.iter().copied().collect();
    for family in CATALOG {
        let name = family.name;
        assert!(used.contains(name) || excused.contains_key(name), "{name} is on no dashboard");
        assert!(
            !(used.contains(name) && excused.contains_key(name)),
            "{name} is on a dashboard: it needs no excuse"
        );
    }
    assert!(excused.keys().all(|name| family(name).is_some()), "an excuse for what is not there");
    assert!(excused.values().all(|reason| !reason.is_empty()));
}

#[test]
fn every_alert_has_its_section_in_the_document() {
    let alerts = read("deploy/alerts.yaml");
    let document = read("docs/alerts.md");
    let names: Vec<&str> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 5);
    for name in &names {
        assert!(
            document.contains(&format!("\n## {name}\n")),
            "docs/alerts.md does not explain {name}"
        );
    }
    let sections = document.lines().filter_map(|line| line.strip_prefix("## Aliyun"));
    assert!(
        sections.clone().all(|name| names.contains(&&*format!("Aliyun{name}"))),
        "an alert that is not there"
    );
}

#[test]
fn every_reason_is_explained_where_alerts_are() {
    let document = read("docs/alerts.md");
    for reason in Reason::ALL {
        assert!(
            document.contains(&format!("`{}`", reason.label())),
            "docs/alerts.md does not name {}",
            reason.label()
        );
    }
}

/// Version and name of an operation, and its RAM action.
type Named = (&'static str, &'static str, String);

#[test]
fn the_exporter_and_the_simulator_know_the_same_operations() {
    let named = |product: &'static str, action, ram| -> Named { (product, action, ram) };
    let client = Action::ALL.iter().copied();
    let client: BTreeSet<Named> =
        client.map(|of| named(of.product().version(), of.name(), of.ram_action())).collect();
    let sim = sim::Operation::ALL.iter().copied();
    let sim = sim.filter(|of| [sim::Product::Ehpc, sim::Product::Swas].contains(&of.product()));
    let sim: BTreeSet<Named> =
        sim.map(|of| named(of.product().version(), of.action(), of.ram_action())).collect();
    assert_eq!(client, sim);
    assert_eq!(client.len(), Action::ALL.len(), "each once");
}

#[test]
fn the_document_of_quotas_names_every_operation() {
    let document = read("docs/configuration.md");
    let list = document.split("\n\n").find(|part| part.starts_with("The operations are ")).unwrap();
    let words = list.split('`').skip(1).step_by(2);
    let mut product = "";
    let mut named = BTreeSet::new();
    for word in words {
        match word.strip_suffix('.') {
            Some(label) => product = label,
            None => drop(named.insert(format!("{product}.{word}"))),
        }
    }
    assert_eq!(named, Action::ALL.iter().map(Action::to_string).collect());
}

#[test]
fn no_label_holds_what_a_user_keeps_secret() {
    let forbidden = [
        "content",
        "output",
        "parameter",
        "message",
        "secret",
        "key",
        "token",
        "error_info",
        "request",
    ];
    for family in CATALOG {
        for label in family.labels {
            assert!(
                !forbidden.iter().any(|word| label.contains(word)),
                "{} has the label {label}",
                family.name
            );
        }
    }
}

/// Each alert with the text of its rule and of the recorded series that it reads.
fn alerts_with_records(rules: &str) -> Vec<(&str, String)> {
    let blocks: Vec<(&str, &str)> = rules
        .split("\n      - ")
        .filter_map(|block| block.split_once(": "))
        .filter(|(kind, _)| ["alert", "record"].contains(kind))
        .collect();
    let name = |rule: &str| rule.lines().next().unwrap_or_default().to_owned();
    let records: Vec<(String, &str)> = blocks
        .iter()
        .filter(|(kind, _)| *kind == "record")
        .map(|(_, rule)| (name(rule), *rule))
        .collect();
    let mut alerts = Vec::new();
    for (_, rule) in blocks.iter().filter(|(kind, _)| *kind == "alert") {
        let mut text = (*rule).to_owned();
        // Records stand before what reads them, so one pass from the last to the first does.
        for (record, expression) in records.iter().rev() {
            if text.contains(record.as_str()) {
                text.push_str(expression);
            }
        }
        alerts.push((rule.lines().next().unwrap_or_default(), text));
    }
    alerts
}

#[test]
fn an_alert_on_what_failed_once_falls_silent() {
    let alerts = read("deploy/alerts.yaml");
    let tests = read("deploy/alerts_test.yaml")
        + &read("deploy/alerts_weeks_test.yaml")
        + &read("deploy/alerts_answers_test.yaml");
    let events: Vec<(&str, String)> = alerts_with_records(&alerts)
        .into_iter()
        .filter(|(_, text)| {
            ["increase(", "_finished_timestamp_seconds)"]
                .iter()
                .any(|of_events| text.contains(of_events))
        })
        .collect();
    let names: Vec<&str> = events.iter().map(|(name, _)| *name).collect();
    assert!(names.len() > 4, "{names:?}");
    for name in names {
        let falls_silent =
            tests.split("\n  - name: ").filter(|test| test.starts_with(name)).any(|test| {
                test.rsplit_once("exp_labels")
                    .is_some_and(|(_, after)| after.contains("exp_alerts: []"))
            });
        assert!(falls_silent, "no test of {name} sees it fire and then fall silent");
    }
}

/// Whether a file of the package has a test of this name.
fn has_test(path: &str, name: &str) -> bool {
    if !package(path).is_file() {
        return false;
    }
    let text = read(path);
    if path.ends_with(".py") {
        return name.starts_with("test_")
            && text.lines().any(|line| line.starts_with(&format!("def {name}(")));
    }
    let mut lines = text
        .lines()
        .map(str::trim)
        .scan("", |before, line| Some((std::mem::replace(before, line), line)));
    let is_test = |before: &str| before == "#[test]" || before == "#[tokio::test]";
    lines.any(|(before, line)| {
        is_test(before)
            && line.split("fn ").nth(1).is_some_and(|f| f.starts_with(&format!("{name}(")))
    })
}

#[test]
fn every_failure_of_others_is_held_by_a_test_or_has_a_reason() {
    let document = read("docs/peers.md");
    let rows: Vec<Vec<&str>> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").collect::<Vec<_>>())
        .filter(|row| row[0] != "what failed" && !row[0].starts_with("---"))
        .collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    for row in &rows {
        let [what, links, held] = row[..] else { panic!("three cells are wanted: {row:?}") };
        let is_public = |link: &str| ["/issues/", "/pull/"].iter().any(|part| link.contains(part));
        let mut places = links
            .split("](https://github.com/")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap());
        assert!(places.clone().count() > 0 && places.all(is_public), "{what}: {links}");
        // Everything between backquotes that contains `::` is a test.
        let tests: Vec<_> =
            held.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::")).collect();
        for (path, name) in &tests {
            assert!(has_test(path, name), "{what}: there is no test {path}::{name}");
        }
        let reason = held.strip_prefix("Cannot happen: ").is_some_and(|reason| reason.len() > 60);
        assert!(reason || !tests.is_empty(), "{what}: neither a test nor a reason");
    }
    assert!(
        !has_test("tests/contract.rs", "has_test") && !has_test("tests/none.rs", "none"),
        "it finds only tests"
    );
}

#[test]
fn every_file_of_tests_is_a_part_of_the_program_that_runs_them() {
    let tests = package("tests");
    for file in files("tests", ".rs").iter().filter(|file| **file != tests.join("main.rs")) {
        let is_folder = file.file_name().is_some_and(|name| name == "mod.rs");
        let module = if is_folder { file.parent().unwrap() } else { file };
        let folder = module.parent().unwrap();
        let root = if folder == tests { "main.rs" } else { "mod.rs" };
        let declared = std::fs::read_to_string(folder.join(root)).unwrap();
        let name = module.file_stem().unwrap().to_string_lossy();
        let declarations = [format!("mod {name};"), format!("pub mod {name};")];
        let is_declared =
            declared.lines().any(|line| declarations.iter().any(|declaration| line == declaration));
        assert!(
            is_declared,
            "{}/{root} does not name {name}: its tests are not run",
            folder.display()
        );
    }
}

#[test]
fn every_file_names_the_same_version_of_rust() {
    let read = |path: &str| std::fs::read_to_string(package(path)).unwrap();
    let manifest = read("Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
        .unwrap();
    for (path, wanted) in [
        ("rust-toolchain.toml", format!("channel = \"{version}.")),
        ("Dockerfile", format!("FROM rust:{version}-")),
        (".github/workflows/audit.yml", format!("container: rust:{version}-")),
        (".github/workflows/ci.yml", format!("container: rust:{version}-")),
        ("README.md", format!("Rust {version} ")),
        ("README.zh-CN.md", format!("Rust {version} ")),
    ] {
        assert!(read(path).contains(&wanted), "{path} does not say {wanted:?}");
    }
}

/// Words that were replaced by terms of the field; no name may be or contain one of them.
const OLD_WORDS: [&str; 9] =
    ["governor", "inventory", "ledger", "makeshift", "pace", "rig", "snapshot", "sought", "survey"];

/// Names that were replaced as a whole; their words still occur in other senses.
const OLD_NAMES: [&str; 12] = [
    "Around",
    "CommandsPlan",
    "Listing",
    "Plan",
    "Roll",
    "Run",
    "RunsPlan",
    "Runs",
    "Said",
    "SeenRun",
    "Slot",
    "TasksPlan",
];

/// The words of a name: `SeenRun` and `seen_run` both have two.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for character in name.chars() {
        if character == '_'
            || (character.is_uppercase() && words.last().is_some_and(|word| !word.is_empty()))
        {
            words.push(String::new());
        }
        words
            .last_mut()
            .unwrap()
            .extend(character.to_lowercase().filter(|character| *character != '_'));
    }
    words
}

#[test]
fn no_name_is_an_old_word() {
    assert_eq!(words_of("SeenRun_twice"), ["seen", "run", "twice"]);
    let sources =
        ["src", "tests", "benches"].map(|folder| files(folder, ".rs")).into_iter().flatten();
    for Text { path, text } in texts(sources).iter().filter(|text| text.path != "tests/contract.rs")
    {
        for line in text.lines() {
            let code = line.split("//").next().unwrap();
            for name in
                code.split(|character: char| !character.is_alphanumeric() && character != '_')
            {
                let old =
                    words_of(name).into_iter().find(|word| OLD_WORDS.contains(&word.as_str()));
                assert!(old.is_none() && !OLD_NAMES.contains(&name), "{path}: {name} in {line:?}");
            }
        }
    }
    for Text { path, text } in &all() {
        for old in ["aliyun_exporter_", "AliyunTaskSwasRun"] {
            assert!(!text.contains(old), "{path} names {old}");
        }
    }
}
