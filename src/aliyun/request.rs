//! (operation, credential, nonce, now) -> the signed HTTP request, pure.

use std::borrow::Cow;

use http::{HeaderValue, Request, Uri, header};
use jiff::Timestamp;

use super::credentials::Credential;
use super::op::Operation;
use super::sign::{self, v1, v3};
use crate::action::Product;
use crate::config::Signature;

/// A request to any of the cloud's RPC APIs, before signing.
#[derive(Clone, Debug)]
pub struct Rpc<'a> {
    /// HTTP method.
    pub method: &'static str,
    /// The operation's name.
    pub action: &'a str,
    /// The version of the product's API.
    pub version: &'a str,
    /// The operation's own parameters.
    pub parameters: Vec<(&'a str, Cow<'a, str>)>,
}

/// What one request is signed with.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The signature method.
    pub signature: Signature,
    /// The key.
    pub credential: &'a Credential,
    /// Unique for each request.
    pub nonce: &'a str,
    /// The current time.
    pub now: Timestamp,
}

/// Builds the signed request of one attempt. `endpoint` is a base URL.
///
/// # Errors
/// If `endpoint` is not a base URL, or the credential contains what is not allowed in a request.
pub fn build(
    operation: &Operation,
    region: &str,
    endpoint: &str,
    signer: Signer,
) -> Result<Request<Vec<u8>>, http::Error> {
    let product = operation.product();
    let mut parameters = operation.parameters();
    if product == Product::Swas {
        parameters.push(("RegionId", region.into()));
    }
    let rpc = Rpc {
        method: product.method(),
        action: operation.name(),
        version: product.version(),
        parameters,
    };
    signed(rpc, endpoint, signer)
}

/// Signs a request of any product. All parameters go into the query, also with POST, as in the
/// vendor's SDKs.
///
/// # Errors
/// As [`build`].
pub fn signed<'a>(
    rpc: Rpc<'a>,
    endpoint: &str,
    signer: Signer<'a>,
) -> Result<Request<Vec<u8>>, http::Error> {
    match signer.signature {
        Signature::V1 => signed_v1(rpc, endpoint, signer),
        Signature::V3 => signed_v3(&rpc, endpoint, signer),
    }
}

fn signed_v1<'a>(
    mut rpc: Rpc<'a>,
    endpoint: &str,
    signer: Signer<'a>,
) -> Result<Request<Vec<u8>>, http::Error> {
    let credential = signer.credential;
    rpc.parameters.extend([
        ("Action", rpc.action.into()),
        ("Version", rpc.version.into()),
        ("Format", "JSON".into()),
        ("AccessKeyId", (&*credential.access_key_id).into()),
        ("SignatureMethod", "HMAC-SHA1".into()),
        ("SignatureVersion", "1.0".into()),
        ("SignatureNonce", signer.nonce.into()),
        ("Timestamp", stamp(signer.now).into()),
    ]);
    if let Some(token) = &credential.security_token {
        rpc.parameters.push(("SecurityToken", token.expose().into()));
    }
    let query = sign::canonical_query(&rpc.parameters);
    let signature = v1::signature(rpc.method, &query, &credential.access_key_secret);
    Request::builder()
        .method(rpc.method)
        .uri(url(endpoint, &format!("{query}&Signature={}", sign::encode(&signature))))
        .header(header::ACCEPT, "application/json")
        .body(Vec::new())
}

fn signed_v3(rpc: &Rpc, endpoint: &str, signer: Signer) -> Result<Request<Vec<u8>>, http::Error> {
    let Credential { access_key_id, access_key_secret, security_token } = signer.credential;
    let query = sign::canonical_query(&rpc.parameters);
    let uri: Uri = url(endpoint, &query).parse()?;
    let hashed_body = v3::hash(&[]);
    let mut headers = vec![
        ("host", host(&uri)),
        ("x-acs-action", rpc.action.to_owned()),
        ("x-acs-content-sha256", hashed_body.clone()),
        ("x-acs-date", stamp(signer.now)),
        ("x-acs-signature-nonce", signer.nonce.to_owned()),
        ("x-acs-version", rpc.version.to_owned()),
    ];
    if let Some(token) = security_token {
        headers.push(("x-acs-accesskey-id", access_key_id.clone()));
        headers.push(("x-acs-security-token", token.expose().to_owned()));
    }
    headers.sort_unstable();
    let signable = v3::Signable {
        method: rpc.method,
        query: &query,
        headers: &headers,
        hashed_body: &hashed_body,
    };
    let authorization = signable.authorization(access_key_id, access_key_secret);
    let mut request = Request::builder()
        .method(rpc.method)
        .uri(uri)
        .header(header::ACCEPT, "application/json")
        .header(header::AUTHORIZATION, sensitive(&authorization)?);
    for (name, value) in &headers {
        request = request.header(*name, sensitive(value)?);
    }
    request.body(Vec::new())
}

/// A header value that no Debug output shows.
fn sensitive(text: &str) -> Result<HeaderValue, http::Error> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}

fn url(endpoint: &str, query: &str) -> String {
    let separator = if query.is_empty() { "" } else { "?" };
    format!("{}/{separator}{query}", endpoint.trim_end_matches('/'))
}

/// Host of a URL, and its port unless it is the scheme's default; no user name or password. It is
/// the `Host` header, and safe to show.
pub(super) fn host(uri: &Uri) -> String {
    let own = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let host = uri.host().unwrap_or_default();
    match uri.port_u16().filter(|port| *port != own) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn stamp(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http::header::InvalidHeaderValue;

    use super::{Signer, build, host};
    use crate::aliyun::credentials::Credential;
    use crate::aliyun::op::{DescribeInvocations, EhpcListRegions, ListTasks, Operation};
    use crate::config::Signature;
    use crate::secret::Secret;

    fn built(
        signature: Signature,
        operation: impl Into<Operation>,
        endpoint: &str,
    ) -> Request<Vec<u8>> {
        let credential = Credential {
            access_key_id: "testid".into(),
            access_key_secret: Secret::new("testsecret"),
            security_token: Some(Secret::new("tok/en")),
        };
        let now = "2024-05-06T07:08:09Z".parse().unwrap();
        let signer = Signer { signature, credential: &credential, nonce: "n-1", now };
        build(&operation.into(), "cn-hangzhou", endpoint, signer).unwrap()
    }

    #[test]
    fn ehpc_is_asked_by_get_without_a_region() {
        let request = built(Signature::V1, ListTasks::archived("ehpc-hz-1", 2), "http://h:1/");
        let query = request.uri().query().unwrap();
        assert_eq!(request.method(), "GET");
        assert!(query.starts_with(
            "AccessKeyId=testid&Action=ListTasks&Archived=true&ClusterId=ehpc-hz-1&Format=JSON"
        ));
        assert!(query.contains("&SecurityToken=tok%2Fen&") && !query.contains("RegionId"));
        assert!(query.contains("&Timestamp=2024-05-06T07%3A08%3A09Z&"));
    }

    #[test]
    fn swas_is_asked_by_post_with_everything_in_the_query() {
        for signature in [Signature::V1, Signature::V3] {
            let request = built(
                signature,
                DescribeInvocations { instance_id: "ace0".into(), page: 1 },
                "http://h:1",
            );
            assert_eq!((request.method().as_str(), request.body().len()), ("POST", 0));
            assert!(
                request.uri().query().unwrap().ends_with("&RegionId=cn-hangzhou")
                    == (signature == Signature::V3)
            );
            assert!(request.uri().query().unwrap().contains("&RegionId=cn-hangzhou"));
        }
    }

    #[test]
    fn v3_has_its_own_in_headers_that_nothing_prints() {
        let request = built(Signature::V3, EhpcListRegions, "https://h/");
        let headers = request.headers();
        assert_eq!((request.uri().path(), request.uri().query()), ("/", None));
        for (name, value) in [
            ("host", "h"),
            ("x-acs-action", "ListRegions"),
            ("x-acs-version", "2018-04-12"),
            ("x-acs-date", "2024-05-06T07:08:09Z"),
            ("x-acs-signature-nonce", "n-1"),
            ("x-acs-accesskey-id", "testid"),
            ("x-acs-security-token", "tok/en"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
        let signed = "host;x-acs-accesskey-id;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;\
                      x-acs-signature-nonce;x-acs-version";
        let start = format!("ACS3-HMAC-SHA256 Credential=testid,SignedHeaders={signed},Signature=");
        assert!(headers["authorization"].to_str().unwrap().starts_with(&start));
        let printed = format!("{request:?}");
        assert!(!printed.contains("testid") && !printed.contains("tok/en"), "{printed}");
    }

    #[test]
    fn a_key_that_no_header_can_hold_is_told_from_a_bad_endpoint() {
        let credential = Credential {
            access_key_id: "testid".into(),
            access_key_secret: Secret::new("testsecret"),
            security_token: Some(Secret::new("tok\nen")),
        };
        let now = "2024-05-06T07:08:09Z".parse().unwrap();
        let signer =
            Signer { signature: Signature::V3, credential: &credential, nonce: "n-1", now };
        let error = build(&EhpcListRegions.into(), "cn-hangzhou", "https://h", signer).unwrap_err();
        assert!(error.is::<InvalidHeaderValue>(), "{error}");
        let error =
            build(&EhpcListRegions.into(), "cn-hangzhou", "https://a b", signer).unwrap_err();
        assert!(!error.is::<InvalidHeaderValue>(), "{error}");
    }

    #[test]
    fn the_host_is_written_as_the_cloud_will_see_it() {
        for (url, wanted) in [
            ("https://h:443/", "h"),
            ("http://h:80/", "h"),
            ("http://h:443/", "h:443"),
            ("http://127.0.0.1:18080/", "127.0.0.1:18080"),
            ("http://[::1]:1/", "[::1]:1"),
        ] {
            assert_eq!(host(&url.parse().unwrap()), wanted);
        }
    }
}
