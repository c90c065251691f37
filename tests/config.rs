//! The configuration: bad files with their exact messages, good ones with their values, and no
//! secret in either.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aliyun_task_exporter::action::{Action, Product};
use aliyun_task_exporter::config::{
    Account, AssumeRole, Cluster, ClusterDiscovery, Commands, Config, Credentials, Discovery,
    Endpoints, Filter, InvocationWindow, Lease, Metrics, Network, NoProxy, Oidc, Pattern, Poll,
    Problems, Proxy, Regions, SecretSource, Server, ServerDiscovery, Signature, State, StatusStyle,
    SwasStrategy, TaskWindow, Web, parse, redacted_yaml, with_endpoint, with_targets,
};
use aliyun_task_exporter::secret::Secret;
use proptest::prelude::*;
use regex::Regex;

/// Stands for every secret in the files, and must not appear in any output.
const SECRET: &str = "hunter2";

fn env(name: &str) -> Option<String> {
    let value = match name {
        "REGION" => "cn-shanghai",
        "SECRET" | "ACCESS_KEY_ID" | "ACCESS_KEY_SECRET" => SECRET,
        "INTERVAL" => "45s",
        "COUNT" => "7",
        "YES" => "true",
        "INJECT" => "[{id: ehpc-hz-1, region: cn-hangzhou}]",
        "DOLLAR" => "${SECRET}$",
        _ => return None,
    };
    Some(value.to_owned())
}

/// What the program makes of a file without flags.
fn load(file: &str, text: &str) -> Result<Config, Problems> {
    with_targets(Some(parse(file, text, &env)?), &[], &[])
}

fn good(text: &str) -> Config {
    load("config.yaml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn bad(text: &str) -> String {
    load("config.yaml", text).unwrap_err().to_string()
}

fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// The bad files, each with the name problems show for it.
fn bad_files() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(package("tests/fixtures/config")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
        .into_iter()
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
        .collect()
}

#[test]
fn bad_files_have_exactly_these_problems() {
    let mut wrong = Vec::new();
    for (name, path) in bad_files() {
        let expected = read(path.with_extension("txt"));
        let problems = load(&name, &read(&path))
            .map_or_else(|problems| problems.to_string(), |_| "none".to_owned());
        if problems != expected.trim_end() {
            wrong.push(format!("--- {name}, expected\n{expected}--- found\n{problems}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(bad_files().len() >= 30);
}

#[test]
fn problems_come_in_order_of_lines() {
    for (name, path) in bad_files() {
        let Problems(problems) = load(&name, &read(&path)).unwrap_err();
        assert!(problems.is_sorted_by_key(|problem| problem.line), "{name}");
    }
}

#[test]
fn no_problem_shows_a_secret() {
    for (name, path) in bad_files() {
        let problems = load(&name, &read(&path)).unwrap_err();
        assert!(!format!("{problems} {problems:?}").contains(SECRET), "{problems}");
    }
}

/// The file names and texts of all good fixtures.
fn good_files() -> Vec<(String, String)> {
    let entries = fs::read_dir(package("tests/fixtures/config/good")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), read(path))).collect()
}

/// The configurations whose effective form the golden file holds, by name.
fn effective() -> Vec<(String, Config)> {
    let mut all = vec![
        ("without a file".to_owned(), Config::default()),
        ("config.example.yaml".to_owned(), example()),
    ];
    all.extend(good_files().into_iter().map(|(name, text)| (name, good(&text))));
    all
}

#[test]
fn the_effective_configuration_is_the_golden_one() {
    let golden = package("tests/golden/config.yaml");
    let one =
        |(name, config): &(String, Config)| format!("--- # {name}\n{}", redacted_yaml(config));
    let yaml: String = effective().iter().map(one).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &yaml).unwrap();
    }
    let wanted = read(&golden);
    let different =
        yaml.lines().zip(wanted.lines()).enumerate().find(|(_, (shown, wanted))| shown != wanted);
    assert!(
        yaml == wanted,
        "the first line that differs: {different:?} (UPDATE_GOLDEN=1 writes the file)"
    );
}

fn example() -> Config {
    good(&read(package("config.example.yaml")))
}

#[test]
fn the_example_holds_the_defaults() {
    let cluster = Cluster {
        id: "ehpc-hz-FYUr32aaaa".into(),
        region: "cn-hangzhou".into(),
        account: "default".into(),
        name: "prod".into(),
        tasks: TaskWindow::default(),
        commands: Commands::default(),
    };
    let server = Server {
        id: "ace0706b2ac4454d984295a94213aaaa".into(),
        region: "cn-hangzhou".into(),
        account: "default".into(),
        name: "web-1".into(),
        window: InvocationWindow::default(),
    };
    assert_eq!(
        example(),
        Config { clusters: vec![cluster], servers: vec![server], ..Config::default() }
    );
}

#[test]
fn the_example_in_chinese_is_the_same_configuration() {
    assert_eq!(good(&read(package("config.example.zh-CN.yaml"))), example());
}

/// The paths of all keys in `yaml`, such as `ehpc.clusters.0.id`.
fn key_paths(path: &str, yaml: &serde_json::Value, out: &mut Vec<String>) {
    let entries: Vec<(String, &serde_json::Value)> = match yaml {
        serde_json::Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v)).collect(),
        serde_json::Value::Array(items) => {
            items.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect()
        }
        _ => Vec::new(),
    };
    for (key, value) in entries {
        let path = format!("{path}.{key}");
        key_paths(&path, value, out);
        out.push(path);
    }
}

#[test]
fn the_example_holds_every_key_of_the_effective_configuration() {
    let mut effective = Vec::new();
    key_paths("", &serde_yaml::from_str(&redacted_yaml(&example())).unwrap(), &mut effective);
    let mut written = Vec::new();
    key_paths(
        "",
        &serde_yaml::from_str(&read(package("config.example.yaml"))).unwrap(),
        &mut written,
    );
    effective.retain(|path| !written.contains(path));
    assert!(effective.is_empty(), "not in config.example.yaml: {effective:?}");
    assert!(written.len() > 60);
}

#[test]
fn the_documentation_names_every_key() {
    let docs = read(package("docs/configuration.md"));
    let mut paths = Vec::new();
    key_paths(
        "",
        &serde_yaml::from_str(&read(package("config.example.yaml"))).unwrap(),
        &mut paths,
    );
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let documented =
        |key: &str| docs.contains(&format!("`{key}`")) || docs.contains(&format!(".{key}`"));
    let missing: Vec<_> =
        paths.iter().map(|path| last(path)).filter(|key| !documented(key)).collect();
    assert_eq!(missing, ["0", "0", "0"], "indices of the lists, and nothing else");
}

#[test]
fn without_a_file_text_everything_has_its_default() {
    for text in [
        "",
        "{}",
        "# nothing\n",
        "---\n",
        "null",
        "~",
        "poll:\naccounts: ~\nehpc: {}\nswas: {servers: []}\n",
    ] {
        assert_eq!(parse("config.yaml", text, &env).unwrap(), Config::default(), "{text:?}");
    }
}

#[test]
fn every_key_is_taken_over() {
    let config = good(&read(package("tests/fixtures/config/good/full.yaml")));
    let poll = Poll {
        interval: Duration::from_secs(45),
        active_interval: Duration::from_millis(5500),
        idle_interval: Duration::from_secs(300),
        idle_after: Duration::from_secs(3600),
        history_interval: Duration::from_secs(900),
        history_max_pages: 5,
        timeout: Duration::from_secs(20),
        stale_after: Duration::from_secs(900),
        concurrency: 7,
        max_response_bytes: 512 << 10,
    };
    assert_eq!(config.poll, poll);
    let lease = Lease {
        name: "exporter".into(),
        namespace: Some("monitoring".into()),
        url: "https://exporter-0.exporter:10977/tasks".into(),
        secret: SecretSource::File("/run/secrets/state".into()),
        ca_file: Some("/etc/ca.pem".into()),
        duration: Duration::from_secs(60),
        service_account: "/run/account".into(),
    };
    let path = Some("state.redb".into());
    assert_eq!(config.state, State { path, lease: Some(lease), ..State::default() });
    let metrics =
        Metrics { status_style: StatusStyle::Full, max_series: 1000, max_series_per_target: 100 };
    assert_eq!(config.metrics, metrics);
    let [one, two] = config.accounts.as_slice() else { panic!("{:?}", config.accounts) };
    assert_eq!(
        (one.name.as_str(), one.quota_group.as_str(), one.network),
        ("one", "company", Network::Vpc)
    );
    assert_eq!((one.signature, two.signature), (Signature::V3, Signature::V1));
    assert_eq!(one.endpoints.ehpc.as_deref(), Some("https://ehpc.{region}.example.com"));
    assert_eq!(one.endpoints.sts.as_deref(), Some("http://localhost:9000"));
    assert!(one.insecure_http && !two.insecure_http);
    let proxy = Proxy {
        url: "http://proxy.example.com:3128".into(),
        username: Some("exporter".into()),
        password: Some(SecretSource::Value(Secret::new(SECRET))),
        no_proxy: NoProxy::read("localhost, .example.com,10.0.0.0/8").0,
    };
    assert_eq!((one.proxy.as_ref(), two.proxy.as_ref()), (Some(&proxy), None));
    assert_eq!(one.ca_file.as_deref(), Some(Path::new("/etc/ssl/company.pem")));
    let quotas = [(Product::Ehpc.into(), 6), (Action::SwasListRegions.into(), 30)];
    assert_eq!(one.quotas, quotas.into_iter().collect());
    assert_eq!((two.name.as_str(), two.quota_group.as_str()), ("two", "two"));
    let web = Web { pages: false, open_health: true, error_texts: true };
    assert_eq!(config.web, web);
}

#[test]
fn targets_fall_back_to_their_section() {
    let config = good(&read(package("tests/fixtures/config/good/full.yaml")));
    let [first, second] = config.clusters.as_slice() else { panic!("{:?}", config.clusters) };
    assert_eq!(
        (first.region.as_str(), first.account.as_str(), first.name.as_str()),
        ("cn-shanghai", "two", "")
    );
    assert_eq!(first.tasks, TaskWindow { max_tasks: 10, max_age: Duration::from_secs(3600) });
    assert_eq!(first.commands, Commands { ids: vec!["c-1".into()], discover: 0, per_node: true });
    assert_eq!(
        (second.region.as_str(), second.account.as_str(), second.name.as_str()),
        ("cn-beijing", "one", "生产")
    );
    assert_eq!(second.tasks, TaskWindow { max_tasks: 10, max_age: Duration::ZERO });
    assert_eq!(second.commands, Commands { ids: vec![], discover: 3, per_node: true });
    let [server] = config.servers.as_slice() else { panic!("{:?}", config.servers) };
    assert_eq!((server.region.as_str(), server.account.as_str()), ("cn-shanghai", "one"));
    assert_eq!(
        server.window,
        InvocationWindow { max_invocations: 9, max_age: Duration::from_secs(48 * 3600) }
    );
    assert_eq!(
        (config.swas_strategy, example().swas_strategy),
        (SwasStrategy::PerRegion, SwasStrategy::PerServer)
    );
}

#[test]
fn discovery_looks_where_it_is_told_and_takes_the_windows_of_its_section() {
    let config = good(&read(package("tests/fixtures/config/good/full.yaml")));
    let ClusterDiscovery { entries, tasks, commands } = config.cluster_discovery;
    let [some, all] = entries.as_slice() else { panic!("{entries:?}") };
    let named = Regions::Named(vec!["cn-hangzhou".into(), "cn-beijing".into()]);
    assert_eq!(
        (some.account.as_str(), &some.regions, some.interval),
        ("two", &named, Duration::from_secs(3600))
    );
    let pattern = |text| Some(Pattern::new(text).unwrap());
    assert_eq!(
        some.filter,
        Filter { include: pattern("prod-.*"), exclude: pattern("ehpc-hz-[12]$") }
    );
    let default = Discovery {
        account: "one".into(),
        regions: Regions::All,
        filter: Filter::default(),
        interval: Duration::from_secs(600),
    };
    assert_eq!(*all, default);
    assert_eq!(tasks, TaskWindow { max_tasks: 10, ..TaskWindow::default() });
    assert_eq!(commands, Commands { ids: vec!["c-1".into()], discover: 0, per_node: true });
    let ServerDiscovery { entries, window } = config.server_discovery;
    assert_eq!(entries[0].regions, Regions::Named(vec!["cn-shanghai".into()]));
    assert_eq!(
        window,
        InvocationWindow { max_age: Duration::from_secs(48 * 3600), ..InvocationWindow::default() }
    );
}

#[test]
fn somewhere_to_look_is_enough() {
    let config = good("swas: {discovery: [{regions: [all]}]}");
    assert!(config.discovers() && config.servers.is_empty());
    assert_eq!(good(&redacted_yaml(&config)), config);
}

#[test]
fn credentials_come_from_the_file_a_variable_or_another_file() {
    let config = good(&read(package("tests/fixtures/config/good/full.yaml")));
    let Credentials::AccessKey { access_key_id, access_key_secret } =
        &config.accounts[0].credentials
    else {
        panic!()
    };
    assert!(matches!(access_key_id, SecretSource::Value(id) if id.expose() == SECRET));
    assert_eq!(*access_key_secret, SecretSource::File("/run/secrets/aliyun".into()));
    let Credentials::Sts { access_key_secret, security_token: token, .. } =
        &config.accounts[1].credentials
    else {
        panic!()
    };
    assert!(
        matches!(access_key_secret, SecretSource::Value(secret) if secret.expose() == "hunter2$")
    );
    assert!(matches!(token, SecretSource::Value(token) if token.expose() == "hunter2{hunter2"));
}

#[test]
fn every_way_to_log_in_has_its_keys() {
    let accounts = good(&read(package("tests/fixtures/config/good/credentials.yaml"))).accounts;
    let found: Vec<&Credentials> = accounts.iter().map(|account| &account.credentials).collect();
    let rrsa = Oidc {
        role_arn: Some("acs:ram::1234567890123456:role/exporter".into()),
        oidc_provider_arn: Some("acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0001".into()),
        oidc_token_file: Some("/var/run/secrets/ack.alibabacloud.com/rrsa-tokens/token".into()),
        role_session_name: Some("pod".into()),
    };
    let uri = Secret::new("http://127.0.0.1:7002/credentials?token=hunter2");
    let expected = [
        Credentials::Default,
        Credentials::Environment,
        Credentials::Profile { name: Some("prod".into()) },
        Credentials::EcsRamRole { role_name: Some("exporter".into()) },
        Credentials::Oidc(rrsa),
        Credentials::Uri { uri: Some(uri) },
        Credentials::EcsRamRole { role_name: None },
        Credentials::Default,
    ];
    assert_eq!(found, expected.iter().collect::<Vec<_>>());
    let role = |session: &str, id: Option<&str>, hours: u64| AssumeRole {
        arn: "acs:ram::6543210987654321:role/reader".into(),
        external_id: id.map(Secret::new),
        session_name: session.into(),
        duration: Duration::from_secs(hours * 3600),
    };
    let roles: Vec<_> = accounts.iter().filter_map(|account| account.assume_role.clone()).collect();
    assert_eq!(
        roles,
        [role("exporter@prod", Some(SECRET), 2), role("aliyun-task-exporter", None, 1)]
    );
    assert_eq!(accounts[3].endpoints.metadata.as_deref(), Some("http://100.100.100.200"));
}

#[test]
fn an_external_id_and_the_path_of_a_credentials_uri_are_not_printed() {
    let config = good(&read(package("tests/fixtures/config/good/credentials.yaml")));
    let yaml = redacted_yaml(&config);
    assert!(!format!("{config:?} {yaml}").contains(SECRET), "{yaml}");
    for shown in
        ["uri: http://127.0.0.1:7002/...", "external_id: <secret>", "profile: prod", "duration: 2h"]
    {
        assert!(yaml.contains(shown), "{shown}: {yaml}");
    }
}

#[test]
fn no_secret_survives_printing() {
    let config = good(&read(package("tests/fixtures/config/good/full.yaml")));
    let yaml = redacted_yaml(&config);
    assert!(!format!("{config:?} {config:#?} {yaml}").contains(SECRET), "{yaml}");
    assert!(
        yaml.contains("access_key_id: <secret>") && yaml.contains("security_token: <secret>"),
        "{yaml}"
    );
    assert!(yaml.contains("password: <secret>") && yaml.contains("username: exporter"), "{yaml}");
    assert!(yaml.contains("access_key_secret: file:/run/secrets/aliyun"), "{yaml}");
}

/// Every key that may hold a secret, as in `secrets.yaml`.
const SECRET_KEYS: [&str; 7] = [
    "access_key_id",
    "access_key_secret",
    "security_token",
    "uri",
    "external_id",
    "password",
    "secret",
];

#[test]
fn every_key_that_may_hold_a_secret_is_among_the_canaries() {
    let files = fs::read_dir(package("src/config")).unwrap().map(|entry| entry.unwrap().path());
    let text: String = files.filter(|path| path.is_file()).map(read).collect();
    let secret =
        Regex::new(r"(?m)^ +(?:pub )?(\w+): (?:Option<)?(?:SecretSource|Secret)>?,$").unwrap();
    let found: BTreeSet<&str> =
        secret.captures_iter(&text).map(|field| field.get(1).unwrap().as_str()).collect();
    assert_eq!(found, BTreeSet::from(SECRET_KEYS), "secrets.yaml gives each a canary");
}

#[test]
fn no_canary_is_printed() {
    let text = read(package("tests/fixtures/config/good/secrets.yaml"));
    let canaries: BTreeSet<&str> = Regex::new(r"canary-[a-z-]+")
        .unwrap()
        .find_iter(&text)
        .map(|canary| canary.as_str())
        .collect();
    for key in SECRET_KEYS {
        assert!(
            Regex::new(&format!(r"(?m)\b{key}: [^,\n]*canary-")).unwrap().is_match(&text),
            "{key} has no canary"
        );
    }
    let config = good(&text);
    let shown =
        [redacted_yaml(&config), format!("{config:?}"), serde_json::to_string(&config).unwrap()];
    for canary in &canaries {
        assert!(shown.iter().all(|shown| !shown.contains(canary)), "{canary} is shown: {shown:#?}");
    }
    assert!(shown.iter().all(|shown| shown.matches("<secret>").count() >= SECRET_KEYS.len()));
    assert!(canaries.len() >= 12, "{canaries:?}");
}

#[test]
fn the_effective_configuration_can_be_read_again() {
    for (name, config) in effective() {
        let yaml = redacted_yaml(&config);
        // An external id has no angle brackets, and a secret of one's own is longer.
        let written = yaml
            .replace("external_id: <secret>", "external_id: secret")
            .replace(" secret: <secret>", " secret: 0123456789abcdef");
        let again = parse("config.yaml", &written, &env);
        let again = again.unwrap_or_else(|problems| panic!("{name}: {problems}"));
        assert!(redacted_yaml(&again) == yaml, "{name}");
    }
    assert_eq!(good(&redacted_yaml(&example())), example());
}

#[test]
fn a_variable_is_expanded_after_parsing_and_once() {
    let text = |name: &str| {
        format!("swas: {{servers: [{{id: ace1, region: cn-hangzhou, name: \"{name}\"}}]}}")
    };
    let name = |text: &str| good(text).servers[0].name.clone();
    assert_eq!(name(&text("a-${REGION}-$$")), "a-cn-shanghai-$");
    assert_eq!(name(&text("${INJECT}")), "[{id: ehpc-hz-1, region: cn-hangzhou}]");
    assert_eq!(name(&text("${DOLLAR}")), "${SECRET}$");
    assert_eq!(name(&text("")), "");
}

#[test]
fn intervals_that_are_not_given_follow_the_one_that_is() {
    let poll = |text: &str| parse("config.yaml", text, &env).unwrap().poll;
    let seconds = Duration::from_secs;
    let long = poll("poll: {interval: 5m}");
    assert_eq!((long.active_interval, long.idle_interval), (seconds(10), seconds(300)));
    let short = poll("poll: {interval: 1s}");
    assert_eq!((short.active_interval, short.idle_interval), (seconds(1), seconds(120)));
}

#[test]
fn anchors_and_merge_keys_work() {
    let text = "
swas:
  servers:
    - &base {id: ace1, region: cn-hangzhou, max_invocations: 3}
    - {<<: *base, id: ace2}
    - {id: ace3, <<: [{region: cn-beijing}, *base], max_age: &age 1h}
    - {id: ace4, <<: *base, max_age: *age}
";
    let servers = good(text).servers;
    let found: Vec<_> = servers
        .iter()
        .map(|s| (s.id.as_str(), s.region.as_str(), s.window.max_invocations))
        .collect();
    let expected = [
        ("ace1", "cn-hangzhou", 3),
        ("ace2", "cn-hangzhou", 3),
        ("ace3", "cn-beijing", 3),
        ("ace4", "cn-hangzhou", 3),
    ];
    assert_eq!(found, expected);
    assert_eq!(servers[3].window.max_age, Duration::from_secs(3600));
}

#[test]
fn aliases_cannot_make_a_small_file_huge() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let alias = format!("*a{}, ", i - 1).repeat(10);
        text += &format!("a{i}: &a{i} [{}]\n", alias.trim_end_matches(", "));
    }
    assert_eq!(bad(&text), "config.yaml:5: aliases make the file too large");
    assert_eq!(bad(&"- ".repeat(50)), "config.yaml:1: nested too deeply");
}

#[test]
fn nesting_is_bounded_however_it_is_written() {
    let block: String = (0..5000).map(|depth| " ".repeat(depth) + "a:\n").collect();
    assert_eq!(bad(&block), "config.yaml:33: nested too deeply");
    for open in ["[", "{a: ", "? ", "- - "] {
        let told = bad(&open.repeat(100_000));
        assert!(
            told.ends_with("nested too deeply") || told.ends_with("recursion limit exceeded"),
            "{open}: {told}"
        );
    }
}

/// A server with these values as its id and its name.
fn server(id: &str, name: &str) -> String {
    format!("swas: {{servers: [{{id: {id}, region: cn-hangzhou, name: {name}}}]}}")
}

/// Scalars are read as in YAML 1.2. Where 1.1 differs, nothing is guessed without the user
/// noticing.
#[test]
fn words_that_other_readers_take_for_something_else_are_text() {
    for word in ["no", "yes", "on", "off", "y", "N", "2024-01-01", "2024-1-1", "0-1"] {
        let servers = good(&server(word, word)).servers;
        assert_eq!((servers[0].id.as_str(), servers[0].name.as_str()), (word, word));
    }
    for word in ["2024-01-01T00:00:00Z", "12:30:45", "1_000", "=", "nan", "inf"] {
        assert_eq!(good(&server("a", word)).servers[0].name, word);
    }
    let account = good(
        "accounts: [{name: 2024-01-01}]\nswas: {account: 2024-01-01, servers: [{id: a, region: b}]}",
    );
    assert_eq!(account.servers[0].account, "2024-01-01");
}

#[test]
fn text_that_is_a_number_needs_quotes_and_keeps_its_zeros_in_them() {
    for word in ["0644", "0o644", "0x1f", "12345678901234567890123", "1e5", "1e400", "-1", "+7"] {
        let told = bad(&server("a", word));
        assert_eq!(
            told,
            "config.yaml:1: swas.servers[0].name: must be a string, not a number: put it in quotes"
        );
        for quote in ['"', '\''] {
            assert_eq!(good(&server("a", &format!("{quote}{word}{quote}"))).servers[0].name, word);
        }
    }
}

#[test]
fn numbers_are_whole_decimal_and_in_range() {
    let poll = |value: &str| {
        parse("c", &format!("poll: {{concurrency: {value}}}"), &env).map(|config| config.poll)
    };
    for (value, wanted) in [("7", 7), ("+7", 7), ("0064", 64)] {
        assert_eq!(poll(value).unwrap().concurrency, wanted);
    }
    for value in [
        "0",
        "1025",
        "-1",
        "0o17",
        "0x17",
        "1_0",
        "1e1",
        "7.0",
        ".inf",
        "99999999999999999999",
        "yes",
    ] {
        let told = poll(value).unwrap_err().to_string();
        assert_eq!(told, "c:1: poll.concurrency: must be a whole number from 1 to 1024", "{value}");
    }
    let told =
        bad("poll: {timeout: 99999999999999999999s, max_response_bytes: 99999999999999999999GiB}");
    let wanted = "\
config.yaml:1: poll.timeout: \"99999999999999999999s\" is not a duration: write 30s, 2m or 336h
config.yaml:1: poll.max_response_bytes: \"99999999999999999999GiB\" is not a size: write 16MiB or 512KiB";
    assert_eq!(told, wanted);
}

#[test]
fn the_state_is_in_a_file_or_in_a_folder() {
    let config =
        good("state: {folder: /var/lib/x, wait: true}\nswas: {servers: [{id: a, region: r}]}");
    assert_eq!(config.state.folder.as_deref(), Some(Path::new("/var/lib/x")));
    assert_eq!((config.state.path, config.state.wait), (None, true));
    assert_eq!(
        bad("state: {path: a.redb, folder: b}\nswas: {servers: [{id: a, region: r}]}"),
        "config.yaml:1: state.folder: does not go with path: name a file or a folder",
    );
}

#[test]
fn true_and_false_are_the_only_words_for_themselves() {
    for word in ["yes", "no", "on", "off", "y", "1", "0", "tRUE", "\"true\"", "'false'"] {
        let told = bad(&format!("state: {{wait: {word}}}"));
        assert_eq!(
            told, "config.yaml:1: state.wait: must be true or false, without quotes",
            "{word}"
        );
    }
}

#[test]
fn line_ends_and_a_byte_order_mark_change_nothing() {
    for (name, text) in good_files() {
        let config = good(&text);
        for end in ["\r\n", "\r"] {
            assert_eq!(good(&text.replace('\n', end)), config, "{name}");
        }
        assert_eq!(good(&format!("\u{feff}{text}")), config, "{name}");
    }
    for (name, path) in bad_files() {
        let text = read(path);
        let problems = load(&name, &text).unwrap_err();
        assert_eq!(load(&name, &text.replace('\n', "\r\n")).unwrap_err(), problems, "{name}");
    }
}

#[test]
fn tags_are_refused_but_those_that_change_nothing() {
    let refused =
        "config.yaml:1: YAML tags (words that start with an exclamation mark) are not supported";
    for tag in
        ["!!int", "!!bool", "!!binary", "!!null", "!!map", "!other", "!<tag:example.com,2024:a>"]
    {
        assert_eq!(bad(&format!("poll: {{concurrency: {tag} 7}}")), refused, "{tag}");
    }
    let tagged = "swas: !!map {servers: !!seq [{id: !!str 5, region: cn-hangzhou}]}";
    assert_eq!(good(tagged).servers[0].id, "5");
}

#[test]
fn a_file_is_one_document() {
    let second = "a second YAML document starts here: write one file per configuration";
    for (text, line) in [("---\n---\n", 2), ("poll: {}\n...\nswas: {}", 3), ("---\n{}\n--- {}", 3)]
    {
        assert_eq!(
            parse("c", text, &env).unwrap_err().to_string(),
            format!("c:{line}: {second}"),
            "{text:?}"
        );
    }
    for text in ["poll: {}\n...\n", "%YAML 1.2\n---\npoll: {}\n", "---\npoll: {}\n...\n# end\n"] {
        assert_eq!(parse("c", text, &env).unwrap(), Config::default(), "{text:?}");
    }
}

#[test]
fn a_key_stands_once_and_a_merge_adds_only_what_is_not_there() {
    let twice = "config.yaml:3: poll.timeout: the same key stands on line 2 already";
    assert_eq!(bad("poll:\n  timeout: 1s\n  timeout: 1s"), twice);
    assert_eq!(bad("poll:\n  timeout: 1s\n  \"timeout\": 1s"), twice);
    assert_eq!(bad("'<<': {}"), "config.yaml:1: <<: unknown key", "in quotes it merges nothing");
    let poll = parse(
        "c",
        "poll: {<<: {timeout: 1s, interval: 9s}, timeout: 2s, <<: {idle_after: 3s}}",
        &env,
    )
    .unwrap()
    .poll;
    let read = (poll.timeout, poll.interval, poll.idle_after);
    assert_eq!(read, (Duration::from_secs(2), Duration::from_secs(9), Duration::from_secs(3)));
}

fn flags(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn flags_alone_are_enough() {
    let config = with_targets(
        None,
        &flags(&["cn-hangzhou/ehpc-hz-1"]),
        &flags(&["cn-beijing/ace1", "cn-beijing/ace2"]),
    )
    .unwrap();
    assert_eq!(config.accounts, [Account::default()]);
    assert_eq!((config.clusters.len(), config.servers.len()), (1, 2));
    let server = &config.servers[1];
    let place =
        (server.id.as_str(), server.region.as_str(), server.account.as_str(), server.name.as_str());
    assert_eq!(place, ("ace2", "cn-beijing", "default", ""));
    assert_eq!(good(&redacted_yaml(&config)), config);
}

#[test]
fn flags_add_to_a_file() {
    let file = parse("config.yaml", "accounts: [{name: prod}]", &env).unwrap();
    let config = with_targets(Some(file), &flags(&["cn-hangzhou/ehpc-hz-1"]), &[]).unwrap();
    assert_eq!(config.clusters[0].account, "prod");
}

#[test]
fn an_endpoint_on_the_command_line_is_that_of_the_first_account_and_held_to_the_same_rules() {
    let file = parse(
        "config.yaml",
        "accounts: [{name: a, endpoints: {ehpc: 'https://h'}}, {name: b}]",
        &env,
    )
    .unwrap();
    let config = with_endpoint(file, "http://127.0.0.1:10978/").unwrap();
    let url = Some("http://127.0.0.1:10978".to_owned());
    let endpoints = Endpoints { ehpc: url.clone(), swas: url.clone(), sts: url, metadata: None };
    assert_eq!(
        (&config.accounts[0].endpoints, &config.accounts[1].endpoints),
        (&endpoints, &Endpoints::default())
    );
    for (bad, wanted) in [
        ("http://h", "must start with https://"),
        ("https://u:hunter2@h", "must not hold a user name"),
    ] {
        let told = with_endpoint(Config::default(), bad).unwrap_err().to_string();
        assert!(
            told.starts_with(&format!("--account.endpoint: {wanted}")) && !told.contains("hunter2"),
            "{told}"
        );
    }
}

#[test]
fn bad_flags_are_all_reported() {
    let clusters =
        flags(&["ehpc-hz-1", "CN/ehpc-hz-1", "cn-hangzhou/a b", "cn-beijing/ehpc-hz-FYUr32aaaa"]);
    let servers = flags(&["cn-hangzhou/ace1", "cn-hangzhou/ace1"]);
    let expected = "\
--ehpc.cluster: \"ehpc-hz-1\" is not REGION/ID
--ehpc.cluster: \"CN\" in \"CN/ehpc-hz-1\" is not a region id: write REGION/ID
--ehpc.cluster: \"a b\" in \"cn-hangzhou/a b\" is not a cluster id: write REGION/ID
--ehpc.cluster: the cluster ehpc-hz-FYUr32aaaa is polled already
--swas.server: the server ace1 is polled already";
    assert_eq!(
        with_targets(Some(example()), &clusters, &servers).unwrap_err().to_string(),
        expected
    );
}

#[test]
fn neither_file_nor_flag_says_how_to_start() {
    let expected = "nothing to poll: give a configuration file with --config.file, or name targets with \
                    --ehpc.cluster REGION/ID or --swas.server REGION/ID";
    assert_eq!(with_targets(None, &[], &[]).unwrap_err().to_string(), expected);
}

/// One edit of a text: some characters are replaced.
fn edit() -> impl Strategy<Value = (usize, usize, String)> {
    let pieces = "[:{}\\[\\]&*!|>'\"%@`,#?<~$\\-]|\n|\n  |\t|: |- |\\$\\{|<<: |null|0|-1|\u{0}|\u{85}|\u{feff}|é|[a-z]{1,9}";
    (any::<usize>(), 0..9usize, proptest::string::string_regex(pieces).unwrap())
}

fn edited(text: &str, edits: &[(usize, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, length, piece) in edits {
        let start = at % (chars.len() + 1);
        let end = (start + length).min(chars.len());
        chars.splice(start..end, piece.chars());
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parsing_never_panics(text in "(?s).{0,200}") {
        let _ = load("config.yaml", &text);
    }

    #[test]
    fn parsing_what_looks_like_yaml_never_panics(edits in prop::collection::vec(edit(), 0..60)) {
        let _ = load("config.yaml", &edited("", &edits));
    }

    #[test]
    fn a_mutated_file_never_panics_or_shows_the_value_of_a_variable(edits in prop::collection::vec(edit(), 1..6)) {
        let full = read(package("tests/fixtures/config/good/full.yaml"));
        let env = |name: &str| Some(format!("value-of-{}", name.to_lowercase()));
        match parse("config.yaml", &edited(&full, &edits), &env) {
            Ok(config) => prop_assert!(!redacted_yaml(&config).is_empty()),
            Err(problems) => prop_assert!(!problems.0.is_empty() && !problems.to_string().contains("value-of-")),
        }
    }

    /// By this program's parser and by another library's.
    #[test]
    fn any_name_is_written_so_that_it_is_read_again(name in "[^\\p{Cc}]{0,32}|[-+.0-9_eExobn:T ~=<]{1,12}") {
        let mut config = example();
        config.servers[0].name.clone_from(&name);
        let yaml = redacted_yaml(&config);
        prop_assert_eq!(&good(&yaml), &config);
        let other: serde_json::Value = serde_yaml::from_str(&yaml).unwrap();
        prop_assert_eq!(&other["swas"]["servers"][0]["name"], &name.replace('$', "$$"));
    }
}
