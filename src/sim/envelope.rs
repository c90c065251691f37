//! The parts of a request that all operations share, read from where the signature method puts
//! them.

use http::header::ACCEPT;
use http::{Method, Request};

use super::Operation;
use super::failure::Failure;
use super::parameters::{self, Parameters};
use super::signature::acs3::Acs3;
use super::signature::rpc;

/// A parsed request.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) method: Method,
    pub(crate) parameters: Parameters,
    /// `None` for RPC V1, where everything is in the parameters.
    acs3: Option<Acs3>,
}

impl Envelope {
    /// Parses a request without checking it.
    pub(crate) fn read<B: AsRef<[u8]>>(request: &Request<B>) -> Self {
        let method = request.method().clone();
        let parameters = parameters::read(request);
        Self { method, parameters, acs3: Acs3::read(request) }
    }

    /// The operation the request names.
    pub(crate) fn operation(&self) -> Result<Operation, Failure> {
        let version = self.common("x-acs-version", "Version")?;
        Operation::route(version, self.common("x-acs-action", "Action")?)
            .ok_or_else(Failure::no_such_api)
    }

    /// The time at which the request was signed, as sent.
    pub(crate) fn timestamp(&self) -> Result<&str, Failure> {
        self.common("x-acs-date", "Timestamp")
    }

    /// The id of the key that signed the request.
    pub(crate) fn access_key_id(&self) -> Result<&str, Failure> {
        match &self.acs3 {
            Some(acs3) => acs3.access_key_id(),
            None => self.parameter("AccessKeyId"),
        }
    }

    /// Unique to each request.
    pub(crate) fn nonce(&self) -> Result<&str, Failure> {
        self.common("x-acs-signature-nonce", "SignatureNonce")
    }

    /// The token of temporary credentials.
    pub(crate) fn security_token(&self) -> Option<&str> {
        match &self.acs3 {
            Some(acs3) => acs3.header("x-acs-security-token"),
            None => parameters::optional(&self.parameters, "SecurityToken"),
        }
    }

    /// Whether the caller wants JSON.
    pub(crate) fn wants_json(&self) -> bool {
        match &self.acs3 {
            Some(acs3) => {
                acs3.header(ACCEPT.as_str()).is_some_and(|kinds| kinds.contains("application/json"))
            }
            None => parameters::optional(&self.parameters, "Format")
                .is_some_and(|kind| kind.eq_ignore_ascii_case("json")),
        }
    }

    /// Verifies the signature with the key's secret.
    pub(crate) fn verify(&self, secret: &str) -> Result<(), Failure> {
        self.nonce()?;
        if let Some(acs3) = &self.acs3 {
            return acs3.verify(secret);
        }
        expect(self.parameter("SignatureMethod")?, "HMAC-SHA1", "SignatureMethod")?;
        expect(self.parameter("SignatureVersion")?, "1.0", "SignatureVersion")?;
        let sent = self.parameter("Signature")?;
        let text = rpc::string_to_sign(self.method.as_str(), &self.parameters);
        if rpc::sign(secret, &text) == sent {
            return Ok(());
        }
        let message = format!(
            "Specified signature is not matched with our calculation. server string to sign is:{text}"
        );
        Err(Failure::new(400, "SignatureDoesNotMatch", message))
    }

    /// A value that ACS3 has in a header and RPC V1 in a parameter.
    fn common(&self, header: &str, name: &str) -> Result<&str, Failure> {
        match &self.acs3 {
            Some(acs3) => acs3.required(header, name),
            None => self.parameter(name),
        }
    }

    fn parameter(&self, name: &str) -> Result<&str, Failure> {
        parameters::required(&self.parameters, name)
    }
}

fn expect(value: &str, wanted: &str, name: &str) -> Result<(), Failure> {
    if value == wanted { Ok(()) } else { Err(Failure::invalid(name)) }
}

/// Whether a parameter is common to all operations, and not the operation's own.
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
