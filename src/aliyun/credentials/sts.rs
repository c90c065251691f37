//! Security Token Service: credentials for a role. Source: "Credentials" in
//! `docs/alibaba-cloud-api.md`.
//!
//! Secrets go in the form body, since URLs get logged along the way.

use http::{Request, header};
use jiff::Timestamp;
use serde::Deserialize;

use super::context::ProviderContext;
use super::credential::{Credential, scrub};
use super::failure::Failure;
use super::http::Answer;
use super::provided::{ProvidedCredential, Wire, json};
use crate::aliyun::endpoint::sts as by_region;
use crate::aliyun::{Error, sign};
use crate::config::Network;
use crate::secret::Secret;

const VERSION: &str = "2015-04-01";

/// A role, and how to assume it.
#[derive(Clone, Debug, Default)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session_name: String,
    /// Duration of the session; the cloud's default is an hour.
    pub(super) seconds: Option<u64>,
    pub(super) external_id: Option<Secret>,
    /// A policy that restricts the role's permissions.
    pub(super) policy: Option<String>,
    /// Region of the endpoint; if unset, the environment's.
    pub(super) region: Option<String>,
    /// Whether to use the VPC endpoint; if not, the environment or the account decides.
    pub(super) vpc: bool,
}

type Parameters = Vec<(&'static str, String)>;

/// Exchanges a credential for a role's.
pub(super) async fn assume_role(
    base: &ProvidedCredential,
    role: &Role,
    context: &ProviderContext,
    now: Timestamp,
) -> Result<ProvidedCredential, Failure> {
    let Credential { access_key_id, access_key_secret, security_token } = &base.credential;
    let public = common("AssumeRole", now);
    let mut form = of_role(role);
    form.extend([
        ("AccessKeyId", access_key_id.clone()),
        ("SignatureMethod", "HMAC-SHA1".to_owned()),
        ("SignatureVersion", "1.0".to_owned()),
        ("SignatureNonce", format!("{:032x}", rand::random::<u128>())),
    ]);
    form.extend(security_token.iter().map(|token| ("SecurityToken", token.expose().to_owned())));
    let all: Parameters = public.iter().chain(&form).cloned().collect();
    let signature = sign::v1::signature("POST", &sign::canonical_query(&all), access_key_secret);
    form.push(("Signature", signature));
    let what = format!("AssumeRole of {}", role.arn);
    let provided = ask(&public, &form, role, context, |text| base.credential.scrub(text)).await;
    let provided = provided.map_err(|failure| failure.while_doing(&what))?;
    Ok(ProvidedCredential { fallback: base.fallback, ..provided.with_files(base.watched.clone()) })
}

/// Exchanges an OpenID Connect token for a role's credential; the request is not signed.
pub(super) async fn assume_role_with_oidc(
    provider_arn: &str,
    token: &Secret,
    role: &Role,
    context: &ProviderContext,
    now: Timestamp,
) -> Result<ProvidedCredential, Failure> {
    let mut form = of_role(role);
    form.extend([
        ("OIDCProviderArn", provider_arn.to_owned()),
        ("OIDCToken", token.expose().to_owned()),
    ]);
    let what = format!("AssumeRoleWithOIDC of {}", role.arn);
    let clean = |text: &str| scrub(text, &[token.expose()]);
    ask(&common("AssumeRoleWithOIDC", now), &form, role, context, clean)
        .await
        .map_err(|failure| failure.while_doing(&what))
}

fn common(action: &str, now: Timestamp) -> Parameters {
    vec![
        ("Action", action.to_owned()),
        ("Format", "JSON".to_owned()),
        ("Timestamp", now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ("Version", VERSION.to_owned()),
    ]
}

fn of_role(role: &Role) -> Parameters {
    let mut form =
        vec![("RoleArn", role.arn.clone()), ("RoleSessionName", role.session_name.clone())];
    form.extend(role.seconds.map(|seconds| ("DurationSeconds", seconds.to_string())));
    form.extend(role.policy.clone().map(|policy| ("Policy", policy)));
    form.extend(role.external_id.as_ref().map(|id| ("ExternalId", id.expose().to_owned())));
    form
}

async fn ask(
    public: &Parameters,
    form: &Parameters,
    role: &Role,
    context: &ProviderContext,
    clean: impl Fn(&str) -> String,
) -> Result<ProvidedCredential, Failure> {
    let (endpoint, warning) = endpoint(role, context)?;
    if let Some(warning) = warning {
        context.warn_once(warning);
    }
    let request = Request::post(format!("{endpoint}/?{}", sign::canonical_query(public)))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .body(sign::canonical_query(form).into_bytes())
        .map_err(|error| Failure::failed(format!("{endpoint}: {error}")))?;
    let answer = context.http.send(request).await;
    let external_id = role.external_id.as_ref().map_or("", Secret::expose);
    let clean = |text: &str| scrub(&clean(text), &[external_id]);
    let answer = answer.map_err(|trouble| Failure::failed(clean(&trouble.message)))?;
    read(&answer, clean)
        .map_err(|problem| Failure::failed(format!("{}: {problem}", host(&endpoint))))
}

/// The endpoint for assuming a role, by the vendor's rule: `sts.aliyuncs.com`, a region's, or the
/// one inside a region's VPC; and a warning for the user, if there is one.
pub(super) fn endpoint(
    role: &Role,
    context: &ProviderContext,
) -> Result<(String, Option<String>), Failure> {
    let region = role.region.clone().or_else(|| context.variable("ALIBABA_CLOUD_STS_REGION"));
    if let Some(own) = &context.sts {
        return match region {
            Some(region) => Ok((own.replace("{region}", &region), None)),
            None if own.contains("{region}") => Err(Failure::failed(
                "endpoints.sts holds {region}, but ALIBABA_CLOUD_STS_REGION is not set: write the region itself",
            )),
            None => Ok((own.clone(), None)),
        };
    }
    let vpc = role.vpc
        || context.network == Network::Vpc
        || context.is_on("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED");
    Ok(match region {
        Some(region) if !is_label(&region) => {
            return Err(Failure::failed("the region of STS is not a region id"));
        }
        Some(region) => by_region(if vpc { Network::Vpc } else { Network::Public }, &region),
        None => ("https://sts.aliyuncs.com".to_owned(), None),
    })
}

/// Whether a region may become part of a host name.
fn is_label(region: &str) -> bool {
    region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn host(endpoint: &str) -> &str {
    endpoint.split("://").last().unwrap_or(endpoint)
}

#[derive(Deserialize)]
struct Assumed {
    #[serde(rename = "Credentials")]
    credentials: Wire,
}

fn read(answer: &Answer, clean: impl Fn(&str) -> String) -> Result<ProvidedCredential, String> {
    if !(200..300).contains(&answer.status) {
        return Err(refused(answer, clean));
    }
    match json::<Assumed>(&answer.body, "the answer") {
        Ok(assumed) => assumed.credentials.provided(),
        Err(_) if Error::has_code(&answer.body) => Err(refused(answer, clean)),
        Err(problem) => Err(problem),
    }
}

fn refused(answer: &Answer, clean: impl Fn(&str) -> String) -> String {
    let error = Error::from_answer(answer.status, &answer.headers, &answer.body).cleaned(clean);
    match advice(&error) {
        Some(advice) => format!("{error}; {advice}"),
        None => error.to_string(),
    }
}

/// What the user can do about an error of STS.
fn advice(error: &Error) -> Option<&'static str> {
    let Error::Service { code, .. } = error else { return None };
    Some(match code.as_str() {
        "NoPermission" | "Forbidden.RAM" | "Forbidden" => {
            "allow sts:AssumeRole to the key's owner, and let the role's trust policy name it (and the external id, \
             if it wants one)"
        }
        "EntityNotExist.Role" => "check the ARN of the role",
        "InvalidParameter.DurationSeconds" | "InvalidParameterDurationSeconds" => {
            "ask for no longer than the role's maximum session duration"
        }
        code if code.starts_with("AuthenticationFail") => {
            "check that the token is of the identity provider that the role trusts, and still valid"
        }
        "SignatureDoesNotMatch" => {
            "the AccessKeySecret does not belong to the AccessKeyId: check both"
        }
        code if code.starts_with("InvalidTimeStamp") => "set the clock of this machine",
        _ => return None,
    })
}
