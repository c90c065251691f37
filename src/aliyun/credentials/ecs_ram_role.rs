//! The RAM role of an ECS instance, from its metadata server. Source: "Credentials" in
//! `docs/alibaba-cloud-api.md`.

use std::time::Duration;

use http::{Method, Request};

use super::context::ProviderContext;
use super::failure::Failure;
use super::http::{Answer, Unanswered};
use super::provided::{ProvidedCredential, Wire, json};

const SERVER: &str = "http://100.100.100.200";
const TOKEN: &str = "/latest/api/token";
const ROLES: &str = "/latest/meta-data/ram/security-credentials/";

/// Timeout for a request; the server is on the same host. The vendor's SDKs wait one second for the
/// connection and one for the answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Header name, and the token lifetime to request in seconds: the maximum.
const TTL: (&str, &str) = ("X-aliyun-ecs-metadata-token-ttl-seconds", "21600");
const TOKEN_HEADER: &str = "X-aliyun-ecs-metadata-token";

/// Requests the credential of a role: the configured one, else the environment's, else the
/// instance's own.
pub(super) async fn issue(
    role: Option<&str>,
    context: &ProviderContext,
) -> Result<ProvidedCredential, Failure> {
    if context.is_on("ALIBABA_CLOUD_ECS_METADATA_DISABLED") {
        return Err(Failure::absent("ALIBABA_CLOUD_ECS_METADATA_DISABLED is true"));
    }
    let server = Server::connect(context).await?;
    let role =
        match role.map(str::to_owned).or_else(|| context.variable("ALIBABA_CLOUD_ECS_METADATA")) {
            Some(role) => role,
            None => server.role().await?,
        };
    if !role.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        return Err(server.failed("what it names is not the name of a RAM role"));
    }
    let answer = server.get(&format!("{ROLES}{role}")).await?;
    match answer.status {
        200 => {}
        404 => {
            return Err(server.failed(&format!("the instance has no RAM role {role} (HTTP 404)")));
        }
        status => return Err(server.failed(&format!("HTTP {status} for the RAM role {role}"))),
    }
    let wire: Result<Wire, String> = json(&answer.body, "the answer");
    wire.and_then(Wire::provided)
        .map_err(|problem| server.failed(&format!("RAM role {role}: {problem}")))
}

struct Server<'a> {
    context: &'a ProviderContext,
    url: String,
    /// Without one, requests are made as in version 1.
    token: Option<String>,
}

impl<'a> Server<'a> {
    /// Version 2 needs a token; if the server gives none, version 1 is used, unless that is
    /// switched off.
    async fn connect(context: &'a ProviderContext) -> Result<Self, Failure> {
        let url = context.metadata.clone().unwrap_or_else(|| SERVER.to_owned());
        let mut server = Self { context, url, token: None };
        let refused = match server.send(Method::PUT, TOKEN, Some(TTL)).await {
            Ok(Answer { status: 200, body, .. }) => match String::from_utf8(body) {
                Ok(token) if !token.trim().is_empty() => {
                    server.token = Some(token.trim().to_owned());
                    return Ok(server);
                }
                _ => "its token is not text".to_owned(),
            },
            Ok(Answer { status, .. }) => format!("HTTP {status} for a token"),
            Err(Unanswered { message, unreachable: true }) => {
                return Err(Failure::absent(format!("there is no ECS metadata server: {message}")));
            }
            Err(Unanswered { message, .. }) => message,
        };
        if context.is_on("ALIBABA_CLOUD_IMDSV1_DISABLED") {
            return Err(
                server.failed(&format!("{refused}, and ALIBABA_CLOUD_IMDSV1_DISABLED is true"))
            );
        }
        Ok(server)
    }

    /// The name of the instance's role.
    async fn role(&self) -> Result<String, Failure> {
        let answer = self.get(ROLES).await?;
        match answer.status {
            200 => {}
            404 => return Err(self.failed("the instance has no RAM role (HTTP 404)")),
            status => {
                return Err(self.failed(&format!("HTTP {status} for the name of the RAM role")));
            }
        }
        let text = String::from_utf8_lossy(&answer.body);
        match text.lines().next().map(str::trim) {
            Some(role) if !role.is_empty() => Ok(role.to_owned()),
            _ => Err(self.failed("it names no RAM role")),
        }
    }

    async fn get(&self, path: &str) -> Result<Answer, Failure> {
        let header = self.token.as_deref().map(|token| (TOKEN_HEADER, token));
        self.send(Method::GET, path, header).await.map_err(|trouble| self.failed(&trouble.message))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        header: Option<(&str, &str)>,
    ) -> Result<Answer, Unanswered> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let wrong =
            |error: http::Error| Unanswered { message: error.to_string(), unreachable: false };
        let timeout = TIMEOUT.min(self.context.http.timeout);
        self.context.http.send_near(request.body(Vec::new()).map_err(wrong)?, timeout).await
    }

    fn failed(&self, problem: &str) -> Failure {
        Failure::failed(format!("the ECS metadata server: {problem}"))
    }
}
