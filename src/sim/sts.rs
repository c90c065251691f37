//! Security Token Service, 2015-04-01: issues credentials for roles.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::failure::Failure;
use super::issued::Issued;
use super::parameters::{self, Parameters};
use super::settings::Role;
use super::{Operation, Settings};

/// The answer of an operation, without its `RequestId`.
pub(crate) fn answer(
    operation: Operation,
    parameters: &Parameters,
    settings: &Settings,
    issued: &mut Issued,
    now: Timestamp,
) -> Result<Value, Failure> {
    match operation {
        Operation::AssumeRole => {
            let (arn, role) = role(parameters, settings)?;
            let external_id = parameters::optional(parameters, "ExternalId");
            if role.external_id.is_some() && role.external_id.as_deref() != external_id {
                return Err(not_trusted());
            }
            assume(arn, role, parameters, settings, issued, now)
        }
        Operation::AssumeRoleWithOidc => {
            let (arn, role) = role(parameters, settings)?;
            check_token(role, parameters, settings, now)?;
            let mut body = assume(arn, role, parameters, settings, issued, now)?;
            body["OIDCTokenInfo"] = json!({
                "Subject": "system:serviceaccount:default:exporter",
                "Issuer": "https://oidc-ack-cn-hangzhou.oss-cn-hangzhou.aliyuncs.com/c0001",
                "ClientIds": "sts.aliyuncs.com",
                "VerificationInfo": "Success",
            });
            Ok(body)
        }
        Operation::GetCallerIdentity => Ok(caller(parameters)),
        _ => Err(Failure::no_such_api()),
    }
}

fn role<'a>(
    parameters: &'a Parameters,
    settings: &'a Settings,
) -> Result<(&'a str, &'a Role), Failure> {
    let arn = parameters::required(parameters, "RoleArn")?;
    if !arn.starts_with("acs:ram::") || !arn.contains(":role/") {
        return Err(Failure::new(
            400,
            "InvalidParameter.RoleArn",
            "The parameter RoleArn is wrongly formed.",
        ));
    }
    let session = parameters::required(parameters, "RoleSessionName")?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".@-_".contains(c);
    if !(2..=64).contains(&session.len()) || !session.chars().all(allowed) {
        let message = "The parameter RoleSessionName is wrongly formed.";
        return Err(Failure::new(400, "InvalidParameter.RoleSessionName", message));
    }
    let unknown = || Failure::new(404, "EntityNotExist.Role", "The role not exists.");
    Ok((arn, settings.roles.get(arn).ok_or_else(unknown)?))
}

fn check_token(
    role: &Role,
    parameters: &Parameters,
    settings: &Settings,
    now: Timestamp,
) -> Result<(), Failure> {
    let provider = parameters::required(parameters, "OIDCProviderArn")?;
    let token = parameters::required(parameters, "OIDCToken")?;
    if role.oidc_provider_arn.as_deref() != Some(provider) {
        let message = "This JsonWebToken is not trusted by the role.";
        return Err(Failure::new(403, "AuthenticationFail.NoPermission", message));
    }
    let invalid = || {
        Failure::new(400, "AuthenticationFail.OIDCToken.Invalid", "This JsonWebToken is invalid.")
    };
    let until = settings.oidc_tokens.get(token).ok_or_else(invalid)?;
    if until.is_some_and(|until| now >= until) {
        return Err(Failure::new(
            400,
            "AuthenticationFail.OIDCToken.Expired",
            "This JsonWebToken is expired.",
        ));
    }
    Ok(())
}

fn assume(
    arn: &str,
    role: &Role,
    parameters: &Parameters,
    settings: &Settings,
    issued: &mut Issued,
    now: Timestamp,
) -> Result<Value, Failure> {
    let out_of_range = || {
        let message = "The Min/Max value of DurationSeconds is 15min/1hr.";
        Failure::new(400, "InvalidParameter.DurationSeconds", message)
    };
    let seconds = match parameters::optional(parameters, "DurationSeconds") {
        None => 3600,
        Some(text) => text.parse().map_err(|_| out_of_range())?,
    };
    if !(900..=role.longest_session.as_secs()).contains(&seconds) {
        return Err(out_of_range());
    }
    let lifetime = role.session.unwrap_or(std::time::Duration::from_secs(seconds));
    let lifetime = SignedDuration::try_from(lifetime).map_err(|_| out_of_range())?;
    let given = issued.give(settings.seed, arn, now, lifetime);
    let session = parameters::required(parameters, "RoleSessionName")?;
    Ok(json!({
        "AssumedRoleUser": {"AssumedRoleId": format!("344584339364951186:{session}"), "Arn": format!("{arn}/{session}")},
        "Credentials": given.fields(),
    }))
}

/// The answer is the same whether the caller's own policy does not allow it or the role's trust
/// policy does not name the caller.
fn not_trusted() -> Failure {
    let message = "You are not authorized to do this action. You should be authorized by RAM.";
    Failure::new(403, "NoPermission", message)
}

fn caller(parameters: &Parameters) -> Value {
    let id = parameters.get("AccessKeyId").map_or("", String::as_str);
    let kind = if id.starts_with("STS.") { "AssumedRoleUser" } else { "RAMUser" };
    json!({
        "IdentityType": kind,
        "AccountId": "1234567890123456",
        "PrincipalId": "216959339000001",
        "UserId": "216959339000001",
        "Arn": "acs:ram::1234567890123456:user/exporter",
    })
}
