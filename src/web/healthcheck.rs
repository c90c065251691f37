//! `healthcheck`: asks the exporter that runs on this machine how it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::causes::chain;
use crate::config::parse_web_config;
use crate::files;

/// Maximum size of an answer, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// What to do if health is not for everyone.
const OPEN: &str = "set web: {open_health: true} in its configuration, so that health needs neither a password nor a \
                    client certificate";

/// Which exporter to ask, and what.
#[derive(Clone, Debug)]
pub struct Question {
    /// An address on which it listens.
    pub listen: String,
    /// The path, with its prefix.
    pub path: String,
    /// Its web configuration file, which says whether it serves over TLS.
    pub web_config: Option<PathBuf>,
}

/// Why an exporter does not count as healthy, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {reason}")]
pub struct Unhealthy {
    url: String,
    reason: String,
}

impl Question {
    /// The answer in one line, with the URL that gave it.
    ///
    /// # Errors
    /// If there is no answer in time, or the exporter is not well.
    pub async fn ask(&self, patience: Duration) -> Result<String, Unhealthy> {
        let unhealthy = |url: &str, reason| Unhealthy { url: url.to_owned(), reason };
        let is_encrypted = match &self.web_config {
            Some(file) => is_encrypted(file)
                .map_err(|reason| unhealthy(&file.display().to_string(), reason))?,
            None => false,
        };
        let scheme = if is_encrypted { "https" } else { "http" };
        let mut last = unhealthy(&self.listen, "not an address: write HOST:PORT or :PORT".into());
        for address in reachable(&self.listen) {
            let url = format!("{scheme}://{address}{}", self.path);
            let answer = timeout(patience, self.answer(&address, is_encrypted)).await;
            let answer = answer.unwrap_or_else(|_| {
                Err(Failure::Answer(format!(
                    "no answer within {}",
                    humantime::Duration::from(patience)
                )))
            });
            match answer {
                Ok(answer) => return Ok(format!("{url}: {answer}")),
                Err(Failure::Connection(reason)) => last = unhealthy(&url, reason),
                Err(Failure::Answer(reason)) => return Err(unhealthy(&url, reason)),
            }
        }
        Err(last)
    }

    async fn answer(&self, address: &str, is_encrypted: bool) -> Result<String, Failure> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| Failure::Connection(format!("connecting: {error}")))?;
        if !is_encrypted {
            return self.exchange(stream, address).await.map_err(Failure::Answer);
        }
        let secured = encrypted(stream, address).await.map_err(Failure::Answer)?;
        let answer = self.exchange(secured, address).await;
        // In TLS 1.3 a client learns only now that a certificate is required of it.
        answer.map_err(|reason| match reason.contains("CertificateRequired") {
            true => Failure::Answer(format!("a client certificate is required: {OPEN}")),
            false => Failure::Answer(reason),
        })
    }

    /// The first line of a good answer.
    async fn exchange<S>(&self, stream: S, address: &str) -> Result<String, String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let request = Request::get(&self.path)
            .header(header::HOST, address)
            .header(header::CONNECTION, "close")
            .body(Body::empty())
            .map_err(|error| format!("asking: {error}"))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| format!("asking: {}", chain(&error)))?;
        let connection = tokio::spawn(connection);
        let response = match sender.send_request(request).await {
            Ok(response) => response,
            // The connection failed before the request was sent: only its own error says why.
            Err(error) if error.is_canceled() => {
                let failed = connection.await.ok().and_then(Result::err).unwrap_or(error);
                return Err(format!("asking: {}", chain(&failed)));
            }
            Err(error) => {
                connection.abort();
                return Err(format!("asking: {}", chain(&error)));
            }
        };
        let status = response.status();
        let body = to_bytes(Body::new(response.into_body()), MAX_ANSWER)
            .await
            .map_err(|error| format!("reading the answer: {}", chain(&error)))?;
        let text = String::from_utf8_lossy(&body);
        let line = text.lines().next().unwrap_or_default().trim();
        match status {
            StatusCode::OK => Ok(line.to_owned()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(format!("{status}: {line}: {OPEN}"))
            }
            _ => Err(format!("{status}: {line}")),
        }
    }
}

/// Why there is no good answer.
enum Failure {
    /// Nothing listens at this address, but perhaps at another one.
    Connection(String),
    /// What listens there does not say that it is well.
    Answer(String),
}

/// Where a server that listens on `listen` can be reached from this machine: for all addresses, by
/// IPv4 or else by IPv6.
fn reachable(listen: &str) -> Vec<String> {
    match listen.rsplit_once(':') {
        Some(("" | "0.0.0.0" | "[::]", port)) => {
            vec![format!("127.0.0.1:{port}"), format!("[::1]:{port}")]
        }
        Some(_) => vec![listen.to_owned()],
        None => Vec::new(),
    }
}

/// Whether a web configuration file asks for TLS.
fn is_encrypted(file: &Path) -> Result<bool, String> {
    let text = files::text(file, files::MAX_SMALL)
        .map_err(|error| format!("the web configuration file cannot be read: {error}"))?;
    let config = parse_web_config(&file.display().to_string(), &text)
        .map_err(|_| "the web configuration file has problems; `check` lists them".to_owned())?;
    Ok(config.tls.is_some())
}

async fn encrypted(
    stream: TcpStream,
    address: &str,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(AnyCertificate(provider.signature_verification_algorithms));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|error| format!("TLS: {error}"))?;
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))
}

/// Accepts any certificate: the exporter's is for the name by which Prometheus asks it, and nothing
/// secret is sent.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn a_server_on_all_addresses_is_asked_on_this_machines_own() {
        for listen in [":10977", "0.0.0.0:10977", "[::]:10977"] {
            assert_eq!(reachable(listen), ["127.0.0.1:10977", "[::1]:10977"], "{listen}");
        }
        for listen in ["10.1.2.3:80", "[fe80::1]:80", "localhost:80"] {
            assert_eq!(reachable(listen), [listen]);
        }
        assert!(reachable("10977").is_empty());
    }
}
