//! A URL that returns temporary credentials. Source: "Credentials" in `docs/alibaba-cloud-api.md`.

use http::{Request, header};

use super::context::ProviderContext;
use super::failure::Failure;
use super::provided::{ProvidedCredential, Wire, json};
use crate::aliyun::request::host;
use crate::secret::Secret;

const URI: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";

/// Requests the configured URL, else the environment's. It may contain a secret, so only its host
/// is ever shown.
pub(super) async fn issue(
    own: Option<&Secret>,
    context: &ProviderContext,
) -> Result<ProvidedCredential, Failure> {
    let uri = own.cloned().or_else(|| context.variable(URI).map(Secret::new));
    let uri = uri.ok_or_else(|| Failure::absent(format!("the environment has no {URI}")))?;
    let request =
        Request::get(uri.expose()).header(header::ACCEPT, "application/json").body(Vec::new());
    let request = request.map_err(|_| Failure::failed("the credentials URI is not a URL"))?;
    if request.uri().host().is_none() {
        return Err(Failure::failed("the credentials URI names no host"));
    }
    let host = host(request.uri());
    let failed =
        |problem: String| Failure::failed(format!("the credentials URI at {host}: {problem}"));
    let answer = context.http.send_near(request, context.http.timeout).await;
    let answer = answer
        .map_err(|trouble| Failure::failed(format!("the credentials URI: {}", trouble.message)))?;
    if answer.status != 200 {
        return Err(failed(format!("HTTP {}", answer.status)));
    }
    json::<Wire>(&answer.body, "the answer").and_then(Wire::provided).map_err(failed)
}
