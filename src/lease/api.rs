//! One Lease at the API server: read, created, replaced.

use std::path::PathBuf;
use std::time::Duration;

use http::{Method, Request, header};
use serde_json::Value;
use zeroize::Zeroizing;

use super::http::{Answer, Http};
use super::small_file;
use crate::config::Lease;
use crate::{files, trust};

/// Maximum size of an answer, in bytes.
const LARGEST: usize = 1 << 20;

/// The API server, and the Lease there.
#[derive(Debug)]
pub(super) struct Api {
    http: Http,
    server: String,
    namespace: String,
    name: String,
    token: PathBuf,
    timeout: Duration,
}

impl Api {
    /// The API server that a pod finds in its environment.
    ///
    /// # Errors
    /// If this is not a pod, or its service account cannot be used.
    pub(super) fn in_cluster(
        settings: &Lease,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let variable = |name: &str| {
            env(name).filter(|value| !value.is_empty()).ok_or_else(|| {
                format!("{name} is not set: it needs a pod of Kubernetes; elsewhere use state.wait")
            })
        };
        let host = variable("KUBERNETES_SERVICE_HOST")?;
        let port = variable("KUBERNETES_SERVICE_PORT")?;
        let server = match host.contains(':') {
            true => format!("https://[{host}]:{port}"),
            false => format!("https://{host}:{port}"),
        };
        let folder = &settings.service_account;
        let file = folder.join("namespace");
        let namespace = match &settings.namespace {
            Some(namespace) => namespace.clone(),
            None => files::text(&file, files::MAX_SMALL)
                .map(|text| text.trim().to_owned())
                .map_err(|error| format!("reading {}: {error}", file.display()))?,
        };
        Ok(Self {
            http: Http::new(trust::only(&folder.join("ca.crt"))?)?,
            server,
            namespace,
            name: settings.name.clone(),
            token: folder.join("token"),
            timeout: settings.duration / 3,
        })
    }

    /// Its namespace and name.
    pub(super) fn lease(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The Lease as it is; `None` if there is none.
    pub(super) async fn read(&self) -> Result<Option<Value>, String> {
        let answer = self.ask(Method::GET, &format!("/{}", self.name), None).await?;
        match answer.status {
            200 => match serde_json::from_slice(&answer.body) {
                Ok(lease @ Value::Object(_)) => Ok(Some(lease)),
                _ => Err(format!("reading Lease {}: the answer is not a Lease", self.lease())),
            },
            404 => Ok(None),
            _ => Err(self.refused("reading", &answer)),
        }
    }

    /// Creates the Lease; false if there is one already.
    pub(super) async fn create(&self, lease: &Value) -> Result<bool, String> {
        let answer = self.ask(Method::POST, "", Some(lease)).await?;
        self.written("creating", &answer)
    }

    /// Replaces the Lease; false if it has changed since it was read.
    pub(super) async fn replace(&self, lease: &Value) -> Result<bool, String> {
        let answer = self.ask(Method::PUT, &format!("/{}", self.name), Some(lease)).await?;
        self.written("replacing", &answer)
    }

    fn written(&self, doing: &str, answer: &Answer) -> Result<bool, String> {
        match answer.status {
            200 | 201 => Ok(true),
            // 404: it was deleted meanwhile, which is a change as well.
            404 | 409 => Ok(false),
            _ => Err(self.refused(doing, answer)),
        }
    }

    fn refused(&self, doing: &str, answer: &Answer) -> String {
        let status: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let told = match status["message"].as_str() {
            Some(message) => format!("{}: {message}", answer.status),
            None => answer.told(),
        };
        let advice = match answer.status {
            401 => ": the token of the service account is not accepted",
            403 => ": a Role must allow get, create and update of leases in coordination.k8s.io",
            _ => "",
        };
        format!("{doing} Lease {}: {told}{advice}", self.lease())
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let Self { server, namespace, .. } = self;
        let url =
            format!("{server}/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases{path}");
        let token = small_file::text(&self.token).await?;
        let bearer = Zeroizing::new(format!("Bearer {}", token.trim()));
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::AUTHORIZATION, bearer.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map(Value::to_string).unwrap_or_default().into_bytes())
            .map_err(|error| format!("asking {server}: {error}"))?;
        let answer = self.http.send(request, self.timeout, LARGEST).await;
        answer.map_err(|error| format!("asking {server}: {error}"))
    }
}
