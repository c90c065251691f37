//! The simulator's answers as bytes: the bodies that the benches read.

use std::error::Error;

use aliyun_task_exporter::aliyun::credentials::Credential;
use aliyun_task_exporter::aliyun::op::Operation;
use aliyun_task_exporter::aliyun::request::{self, Signer};
use aliyun_task_exporter::config::Signature;
use aliyun_task_exporter::secret::Secret;
use aliyun_task_exporter::sim::Simulator;
use jiff::Timestamp;

/// The key that a simulator accepts by default.
pub(crate) fn credential() -> Credential {
    Credential {
        access_key_id: "testid".to_owned(),
        access_key_secret: Secret::new("testsecret"),
        security_token: None,
    }
}

/// The body of the simulator's answer.
pub(crate) fn answer(
    simulator: &mut Simulator,
    operation: &Operation,
    region: &str,
    now: Timestamp,
) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let nonce = format!("{operation:?}");
    let signer = Signer { signature: Signature::V1, credential: &credential(), nonce: &nonce, now };
    let request = request::build(operation, region, "http://127.0.0.1", signer)?;
    let response = simulator.handle(&request, now).response;
    match response.status().is_success() {
        true => Ok(response.into_body()),
        false => Err(format!("{} is answered {}", operation.name(), response.status()).into()),
    }
}
