//! From text to [`Config`].

use super::problem::{Problem, Problems};
use super::reader::{Reader, Section, Value};
use super::schema::Config;
use super::{account, ehpc, metrics, poll, punctuation, state, swas, yaml};

pub(super) const KEYS: &[&str] = &["poll", "accounts", "ehpc", "swas", "metrics", "state"];

/// Reads a configuration, or finds everything that is wrong with it.
///
/// `file` is the name problems show; `env` looks up environment variables for `${NAME}`. A
/// configuration without targets passes, because flags may add some: [`super::with_targets`] has
/// the last word.
pub fn parse(
    file: &str,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Problems> {
    let root = yaml::load(text).map_err(|malformed| {
        let yaml::Malformed { line, message } = malformed;
        let message = message + &punctuation::hint_at(text, line);
        Problems(vec![Problem {
            file: file.to_owned(),
            line: Some(line),
            path: String::new(),
            message,
        }])
    })?;
    let reader = Reader::new(file, env);
    let root = match &root {
        Some(node) if !node.is_null() => Value::new(&reader, String::new(), node).section(KEYS),
        _ => Section::absent(&reader, ""),
    };
    let config = read(&root);
    Problems::or(reader.problems.take(), config)
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
        accounts: accounts.all,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        account, credentials, discovery, ehpc, endpoint, metrics, network, poll, state, swas,
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
        ];
        for key in sections.concat() {
            assert!(
                example.contains(&format!(" {key}: ")) || example.contains(&format!("{key}:\n")),
                "{key}"
            );
        }
    }
}
