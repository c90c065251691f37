//! The demo: a simulated cloud, and a configuration that polls all of it. The exporter reaches it
//! by URL, like any cloud.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::action::Product;
use crate::config::{
    Account, Cluster, Commands, Config, Credentials, Endpoints, InvocationWindow, Poll,
    SecretSource, Server, TaskWindow,
};
use crate::secret::Secret;

/// The configuration that polls everything in `world` (the simulator's truth) at `address`,
/// frequently enough to watch.
pub fn config(world: &Value, address: SocketAddr) -> Config {
    Config {
        poll: Poll {
            interval: Duration::from_secs(2),
            active_interval: Duration::from_secs(1),
            idle_interval: Duration::from_secs(4),
            history_interval: Duration::from_secs(10),
            stale_after: Duration::from_secs(30),
            ..Poll::default()
        },
        accounts: vec![account(address)],
        clusters: objects(world, "clusters").map(cluster).collect(),
        servers: objects(world, "servers").map(server).collect(),
        ..Config::default()
    }
}

/// `config`, with budgets that fit a cloud that allows `per_minute` calls of each operation. A
/// tenth is left unused.
pub fn with_quota(mut config: Config, per_minute: u32) -> Config {
    let budget = (per_minute - per_minute.div_ceil(10)).max(1);
    for account in &mut config.accounts {
        for quota in account.quotas.values_mut() {
            *quota = budget;
        }
    }
    config
}

/// The account whose key the simulator knows.
fn account(address: SocketAddr) -> Account {
    let url = format!("http://{address}");
    Account {
        name: "demo".into(),
        quota_group: "demo".into(),
        credentials: Credentials::AccessKey {
            access_key_id: SecretSource::Value(Secret::new("testid")),
            access_key_secret: SecretSource::Value(Secret::new("testsecret")),
        },
        // By default the simulator allows 1000.
        quotas: Product::ALL.map(|product| (product.into(), 900)).into(),
        endpoints: Endpoints {
            ehpc: Some(url.clone()),
            swas: Some(url.clone()),
            sts: Some(url.clone()),
            metadata: Some(url),
        },
        ..Account::default()
    }
}

fn cluster(entry: &Value) -> Cluster {
    Cluster {
        id: text(entry, "id"),
        region: text(entry, "region"),
        account: "demo".into(),
        name: text(entry, "name"),
        tasks: TaskWindow::default(),
        commands: Commands::default(),
    }
}

fn server(entry: &Value) -> Server {
    Server {
        id: text(entry, "id"),
        region: text(entry, "region"),
        account: "demo".into(),
        name: text(entry, "name"),
        window: InvocationWindow::default(),
    }
}

fn objects<'a>(world: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    world[key].as_array().into_iter().flatten()
}

fn text(entry: &Value, key: &str) -> String {
    entry[key].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{config, with_quota};

    fn budgets(per_minute: u32) -> Vec<u32> {
        let config =
            with_quota(config(&serde_json::json!({}), ([127, 0, 0, 1], 1).into()), per_minute);
        config.accounts[0].quotas.values().copied().collect()
    }

    #[test]
    fn the_budgets_leave_a_tenth_of_what_the_cloud_lets_through() {
        assert_eq!(budgets(1000), [900, 900]);
        assert_eq!(budgets(100_000), [90_000, 90_000]);
        assert_eq!((budgets(7), budgets(1), budgets(0)), (vec![6, 6], vec![1, 1], vec![1, 1]));
        assert_eq!(budgets(u32::MAX)[0], u32::MAX / 10 * 9 + 4);
    }
}
