//! (operation, credential, nonce, now) -> the HTTP request, pure.

use http::{Request, header};
use jiff::Timestamp;

use super::credentials::Credential;
use super::op::{Operation, Product};
use super::sign;

/// Builds the signed request of one attempt. `endpoint` is a base URL without a path.
///
/// Every parameter goes into the query, also with POST: that is what the vendor's SDKs send.
///
/// # Errors
/// If `endpoint` is no base URL.
pub fn build(
    operation: &Operation,
    region: &str,
    endpoint: &str,
    credential: &Credential,
    nonce: &str,
    now: Timestamp,
) -> Result<Request<Vec<u8>>, http::Error> {
    let product = operation.product();
    let mut parameters = operation.parameters();
    parameters.extend(common(operation, credential, nonce, now));
    if product == Product::Swas {
        parameters.push(("RegionId", region.to_owned()));
    }
    let query = sign::canonical_query(&parameters);
    let signature = sign::signature(product.method(), &query, &credential.access_key_secret);
    Request::builder()
        .method(product.method())
        .uri(format!("{}/?{query}&Signature={}", endpoint.trim_end_matches('/'), sign::encode(&signature)))
        .header(header::ACCEPT, "application/json")
        .body(Vec::new())
}

/// The parameters that every RPC request has.
fn common(operation: &Operation, credential: &Credential, nonce: &str, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut parameters = vec![
        ("Action", operation.name().to_owned()),
        ("Version", operation.product().version().to_owned()),
        ("Format", "JSON".to_owned()),
        ("AccessKeyId", credential.access_key_id.clone()),
        ("SignatureMethod", "HMAC-SHA1".to_owned()),
        ("SignatureVersion", "1.0".to_owned()),
        ("SignatureNonce", nonce.to_owned()),
        ("Timestamp", now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    ];
    if let Some(token) = &credential.security_token {
        parameters.push(("SecurityToken", token.expose().to_owned()));
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::build;
    use crate::aliyun::credentials::Credential;
    use crate::aliyun::op::{DescribeInvocations, ListTasks, Operation};
    use crate::secret::Secret;

    fn credential() -> Credential {
        Credential {
            access_key_id: "testid".into(),
            access_key_secret: Secret::new("testsecret"),
            security_token: Some(Secret::new("tok/en")),
        }
    }

    #[test]
    fn ehpc_is_asked_by_get_without_a_region() {
        let operation = Operation::from(ListTasks::archived("ehpc-hz-1", 2));
        let now = "2024-05-06T07:08:09Z".parse().unwrap();
        let request = build(&operation, "cn-hangzhou", "http://h:1/", &credential(), "n-1", now).unwrap();
        let query = request.uri().query().unwrap();
        assert_eq!(request.method(), "GET");
        assert!(query.starts_with("AccessKeyId=testid&Action=ListTasks&Archived=true&ClusterId=ehpc-hz-1&Format=JSON"));
        assert!(query.contains("&SecurityToken=tok%2Fen&") && !query.contains("RegionId"));
        assert!(query.contains("&Timestamp=2024-05-06T07%3A08%3A09Z&"));
    }

    #[test]
    fn swas_is_asked_by_post_with_everything_in_the_query() {
        let operation = Operation::from(DescribeInvocations { instance_id: "ace0".into(), page: 1 });
        let now = "2024-05-06T07:08:09Z".parse().unwrap();
        let request = build(&operation, "cn-hangzhou", "http://h:1", &credential(), "n-1", now).unwrap();
        assert_eq!((request.method().as_str(), request.body().len()), ("POST", 0));
        assert!(request.uri().query().unwrap().contains("&RegionId=cn-hangzhou&"));
    }
}
