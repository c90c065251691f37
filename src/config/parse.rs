//! From text to [`Config`].

use super::problem::{Problem, Problems};
use super::reader::{Reader, Section, Value};
use super::schema::Config;
use super::shard::Shard;
use super::yaml::Node;
use super::{account, ehpc, metrics, poll, punctuation, state, swas, web, yaml};

pub(super) const KEYS: &[&str] = &["poll", "accounts", "ehpc", "swas", "metrics", "state", "web"];

/// Parses a configuration. `file` is the name that problems show; `env` looks up environment
/// variables for `${NAME}`. A configuration without targets is valid here, because flags may add
/// some; [`super::with_targets`] decides.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(
    file: &str,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Problems> {
    let tree = tree(file, text)?;
    let reader = Reader::new(file, env);
    let config = read(&root(&reader, tree.as_ref(), KEYS));
    Problems::or(reader.problems.take(), config)
}

/// The YAML tree of a file.
pub(super) fn tree(file: &str, text: &str) -> Result<Option<Node>, Problems> {
    yaml::load(text).map_err(|malformed| {
        let yaml::Malformed { line, message } = malformed;
        let message = message + &punctuation::hint_at(text, line);
        Problems(vec![Problem {
            file: file.to_owned(),
            line: Some(line),
            path: String::new(),
            message,
        }])
    })
}

/// The top-level mapping of a file, in which only `keys` are allowed.
pub(super) fn root<'a>(
    reader: &'a Reader<'a>,
    tree: Option<&'a Node>,
    keys: &[&'static str],
) -> Section<'a> {
    match tree {
        Some(node) if !node.is_null() => Value::new(reader, String::new(), node).section(keys),
        _ => Section::absent(reader, ""),
    }
}

fn read(root: &Section) -> Config {
    let accounts = account::read(root);
    let swas = root.section("swas", swas::KEYS);
    let (clusters, cluster_discovery) = ehpc::read(&root.section("ehpc", ehpc::KEYS), &accounts);
    let (servers, server_discovery) = swas::read(&swas, &accounts);
    Config {
        poll: poll::read(&root.section("poll", poll::KEYS)),
        clusters,
        servers,
        swas_strategy: swas::strategy(&swas),
        cluster_discovery,
        server_discovery,
        metrics: metrics::read(&root.section("metrics", metrics::KEYS)),
        state: state::read(&root.section("state", state::KEYS)),
        web: web::read(&root.section("web", web::KEYS)),
        accounts: accounts.all,
        shard: Shard::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        account, credentials, discovery, ehpc, endpoint, lease, metrics, network, poll, state,
        swas, web,
    };

    #[test]
    fn the_example_holds_every_key() {
        let example = include_str!("../../config.example.yaml");
        let sections = [
            super::KEYS,
            poll::KEYS,
            account::KEYS,
            credentials::KEYS,
            endpoint::KEYS,
            network::PROXY_KEYS,
            ehpc::KEYS,
            ehpc::CLUSTER_KEYS,
            ehpc::TASK_KEYS,
            ehpc::COMMAND_KEYS,
            swas::KEYS,
            swas::SERVER_KEYS,
            discovery::KEYS,
            metrics::KEYS,
            state::KEYS,
            lease::KEYS,
            web::KEYS,
        ];
        for key in sections.concat() {
            assert!(
                example.contains(&format!(" {key}: ")) || example.contains(&format!("{key}:\n")),
                "{key}"
            );
        }
    }
}
