//! The part of a request that every operation has in common, read from where its signature scheme puts it.

use http::{Method, Request, header::AUTHORIZATION};

use super::Operation;
use super::failure::Failure;
use super::parameters::{self, Parameters};
use super::signature;

/// How a request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// RPC V1: everything is in the parameters.
    Rpc,
    /// ACS3-HMAC-SHA256: Action, Version, time and signature are in the headers.
    Acs3,
}

/// A request with its parameters read.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) method: Method,
    pub(crate) parameters: Parameters,
    scheme: Scheme,
}

impl Envelope {
    /// Reads a request; nothing is checked yet.
    pub(crate) fn read<B: AsRef<[u8]>>(request: &Request<B>) -> Self {
        let authorization = request.headers().get(AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
        let scheme = if authorization.starts_with(b"ACS3-") { Scheme::Acs3 } else { Scheme::Rpc };
        Self { method: request.method().clone(), parameters: parameters::read(request), scheme }
    }

    /// The operation the request names.
    pub(crate) fn operation(&self) -> Result<Operation, Failure> {
        if self.scheme == Scheme::Acs3 {
            return Err(Failure::new(
                400,
                "UnsupportedSignatureMethod",
                "The simulator verifies RPC signatures (HMAC-SHA1) only.",
            ));
        }
        let version = self.parameter("Version")?;
        Operation::route(version, self.parameter("Action")?).ok_or_else(Failure::no_such_api)
    }

    /// The time the request was signed, as it was sent.
    pub(crate) fn timestamp(&self) -> Result<&str, Failure> {
        self.parameter("Timestamp")
    }

    /// The id of the key that signed the request.
    pub(crate) fn access_key_id(&self) -> Result<&str, Failure> {
        self.parameter("AccessKeyId")
    }

    /// The word that makes the request unlike any other.
    pub(crate) fn nonce(&self) -> Result<&str, Failure> {
        self.parameter("SignatureNonce")
    }

    /// The token of temporary credentials.
    pub(crate) fn security_token(&self) -> Option<&str> {
        parameters::optional(&self.parameters, "SecurityToken")
    }

    /// The kind of answer wanted.
    pub(crate) fn format(&self) -> Option<&str> {
        parameters::optional(&self.parameters, "Format")
    }

    /// Checks the signature against the secret of the key.
    pub(crate) fn verify(&self, secret: &str) -> Result<(), Failure> {
        self.parameter("SignatureNonce")?;
        expect(self.parameter("SignatureMethod")?, "HMAC-SHA1", "SignatureMethod")?;
        expect(self.parameter("SignatureVersion")?, "1.0", "SignatureVersion")?;
        let sent = self.parameter("Signature")?;
        let text = signature::string_to_sign(self.method.as_str(), &self.parameters);
        if signature::sign(secret, &text) == sent {
            return Ok(());
        }
        let message =
            format!("Specified signature is not matched with our calculation. server string to sign is:{text}");
        Err(Failure::new(400, "SignatureDoesNotMatch", message))
    }

    fn parameter(&self, name: &str) -> Result<&str, Failure> {
        parameters::required(&self.parameters, name)
    }
}

fn expect(value: &str, wanted: &str, name: &str) -> Result<(), Failure> {
    if value == wanted { Ok(()) } else { Err(Failure::invalid(name)) }
}

/// Parameters every request has, as opposed to those of its operation.
pub(crate) fn is_common(name: &str) -> bool {
    const COMMON: [&str; 11] = [
        "AccessKeyId",
        "Action",
        "Format",
        "SecurityToken",
        "Signature",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureType",
        "SignatureVersion",
        "Timestamp",
        "Version",
    ];
    COMMON.contains(&name)
}
