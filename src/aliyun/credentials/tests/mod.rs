#![cfg(test)]
//! Every way to log in, against a simulated cloud over TCP, with the test's own environment and
//! home directory.

mod chain;
mod files;
mod machine;
mod renewal;
mod roles;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;

use super::http::Http;
use super::{Credential, Provider, Transport};
use crate::aliyun::proxy::Proxies;
use crate::config::{Account, AssumeRole, Credentials, Endpoints, Oidc, SecretSource};
use crate::secret::Secret;
use crate::sim::{self, Metadata, Role, Settings, Simulator};

const ROLE: &str = "acs:ram::1234567890123456:role/exporter";
const PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0001";
/// Part of secrets; must never be shown.
const SECRET: &str = "hunter2hunter2";

/// A cloud, a home and an environment.
struct Bench {
    sim: Arc<Mutex<Simulator>>,
    url: String,
    home: PathBuf,
    variables: BTreeMap<String, String>,
    account: Account,
}

static BENCHES: AtomicUsize = AtomicUsize::new(0);

impl Bench {
    async fn new(credentials: Credentials) -> Self {
        let sim = Arc::new(Mutex::new(Simulator::new(Settings::default(), Timestamp::now())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(sim::serve(listener, Arc::clone(&sim), std::future::pending()));
        let number = BENCHES.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir()
            .join(format!("aliyun-task-exporter-home-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let endpoints = Endpoints {
            sts: Some(url.clone()),
            metadata: Some(url.clone()),
            ..Endpoints::default()
        };
        let variables = BTreeMap::from([("HOME".to_owned(), home.display().to_string())]);
        let account = Account { credentials, endpoints, ..Account::default() };
        Self { sim, url, home, variables, account }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(format!("ALIBABA_CLOUD_{name}"), value.to_owned());
        self
    }

    /// RRSA, as ACK sets it up.
    fn with_rrsa(self, token: &str) -> Self {
        let file = self.file("token", token);
        self.with("ROLE_ARN", ROLE)
            .with("OIDC_PROVIDER_ARN", PROVIDER)
            .with("OIDC_TOKEN_FILE", &file)
    }

    fn with_role(mut self, change: impl FnOnce(&mut AssumeRole)) -> Self {
        let mut role = AssumeRole {
            arn: ROLE.into(),
            external_id: None,
            session_name: "test".into(),
            duration: Duration::from_secs(3600),
        };
        change(&mut role);
        self.account.assume_role = Some(role);
        self
    }

    fn settings(self, change: impl FnOnce(&mut Settings)) -> Self {
        change(self.sim.lock().unwrap().settings_mut());
        self
    }

    /// Writes a file in the home directory and returns its full path.
    fn file(&self, path: &str, text: &str) -> String {
        let path = self.home.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn provider(&self) -> Provider {
        let variables = self.variables.clone();
        let environment = Arc::new(move |name: &str| variables.get(name).cloned());
        // The simulator's addresses are all plain HTTP, so this client is never used.
        let transport = Transport { client: Http::new_plain().unwrap(), proxies: Proxies::none() };
        Provider::with_environment(&self.account, transport, Duration::from_secs(2), environment)
            .unwrap()
    }

    async fn credential(&self) -> Arc<Credential> {
        let provider = self.provider();
        provider.credential(Timestamp::now()).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn problem(&self) -> String {
        let provider = self.provider();
        let problem = provider.credential(Timestamp::now()).await.unwrap_err().to_string();
        let printed = format!("{problem} {provider:?}");
        assert!(!printed.contains(SECRET) && !printed.contains("testsecret"), "{printed}");
        problem
            .replace(&self.url["http://".len()..], "CLOUD")
            .replace(&self.home.display().to_string(), "HOME")
    }

    /// The calls that the cloud has received, with their outcomes.
    fn calls(&self) -> Vec<String> {
        self.sim
            .lock()
            .unwrap()
            .calls()
            .map(|call| format!("{} {}", call.action, call.outcome))
            .collect()
    }

    fn fault(&self, action: &str, fault: &str) {
        let rule = format!(r#"[{{"match": {{"action": "{action}"}}, "fault": {fault}}}]"#);
        self.sim.lock().unwrap().add_faults(&rule).unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

fn key(secret: &str) -> Credentials {
    Credentials::AccessKey {
        access_key_id: SecretSource::Value(Secret::new("testid")),
        access_key_secret: SecretSource::Value(Secret::new(secret)),
    }
}

fn is_temporary(credential: &Arc<Credential>) -> bool {
    credential.access_key_id.starts_with("STS.") && credential.security_token.is_some()
}

fn oidc() -> Credentials {
    Credentials::Oidc(Oidc::default())
}

fn profile(name: Option<&str>) -> Credentials {
    Credentials::Profile { name: name.map(str::to_owned) }
}

/// A file with a profile of each mode, as the vendor's command line writes it.
fn cli_config(bench: &Bench) -> String {
    let token = bench.file("token", "testtoken");
    let url = &bench.url;
    let ak = r#""access_key_id": "testid", "access_key_secret": "testsecret""#;
    let role = format!(r#""ram_role_arn": "{ROLE}", "expired_seconds": 900"#);
    format!(
        r#"{{"current": "ak", "meta_path": "", "profiles": [
        {{"name": "ak", "mode": "AK", {ak}, "region_id": "cn-hangzhou", "sts_token": "", "retry_timeout": 0}},
        {{"name": "sts", "mode": "StsToken", {ak}, "sts_token": "t"}},
        {{"name": "role", "mode": "RamRoleArn", {ak}, {role}, "ram_session_name": "s-1", "external_id": null}},
        {{"name": "ecs", "mode": "EcsRamRole", "ram_role_name": ""}},
        {{"name": "oidc", "mode": "OIDC", {role}, "oidc_token_file": "{token}", "oidc_provider_arn": "{PROVIDER}",
          "role_session_name": "s-2"}},
        {{"name": "chain", "mode": "ChainableRamRoleArn", {role}, "source_profile": "role"}},
        {{"name": "uri", "mode": "CredentialsURI", "credentials_uri": "{url}/credentials"}},
        {{"name": "sso", "mode": "CloudSSO", "access_token": "{SECRET}"}},
        {{"name": "loop", "mode": "ChainableRamRoleArn", {role}, "source_profile": "loop"}},
        {{"name": "lacking", "mode": "AK", "access_key_id": "testid"}}
        ]}}"#
    )
}

/// Waits until a condition holds.
async fn until<F: Future<Output = bool>>(mut is_so: impl FnMut() -> F) {
    let waiting = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it never was so");
}
