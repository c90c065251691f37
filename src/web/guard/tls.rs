//! `tls_server_config` -> what rustls serves with.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, NamedGroup, RootCertStore,
    ServerConfig, SignatureScheme, SupportedCipherSuite, version,
};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

use crate::config::{CipherSuite, ClientAuth, Curve, Pem, Tls, TlsVersion};
use crate::{files, pem};

/// What rustls serves with. With `lets_in_without_certificate`, the handshake succeeds without a
/// client certificate whatever the policy is, so that health can be served; one that is shown must
/// still fit the policy.
///
/// # Errors
/// Which certificate or key cannot be read or used, by its key in the configuration file.
pub(super) fn server_config(
    tls: &Tls,
    http2: bool,
    lets_in_without_certificate: bool,
) -> Result<ServerConfig, String> {
    let provider = Arc::new(provider(tls));
    let versions: &[&rustls::SupportedProtocolVersion] = match (tls.min_version, tls.max_version) {
        (TlsVersion::Tls12, TlsVersion::Tls12) => &[&version::TLS12],
        (TlsVersion::Tls12, TlsVersion::Tls13) => &[&version::TLS13, &version::TLS12],
        (TlsVersion::Tls13, _) => &[&version::TLS13],
    };
    let certificates = certificates(&tls.certificate, "cert")?;
    let key = private_key(&tls.key)?;
    let verifier = client_verifier(tls, &provider, lets_in_without_certificate)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| format!("tls_server_config: {error}"))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates, key)
        .map_err(|error| {
            format!("tls_server_config: the certificate and key do not work together: {error}")
        })?;
    config.ignore_client_order = tls.prefers_own_order;
    config.alpn_protocols =
        if http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    Ok(config)
}

/// The cipher suites and curves of the file that ring offers, in the file's order.
fn provider(tls: &Tls) -> CryptoProvider {
    let mut provider = crypto::ring::default_provider();
    if !tls.cipher_suites.is_empty() {
        let (newer, older): (Vec<_>, Vec<_>) = provider
            .cipher_suites
            .into_iter()
            .partition(|suite| matches!(suite, SupportedCipherSuite::Tls13(_)));
        let wanted = tls
            .cipher_suites
            .iter()
            .filter_map(|wanted| older.iter().find(|suite| suite.suite() == suite_of(*wanted)));
        provider.cipher_suites = newer.into_iter().chain(wanted.copied()).collect();
    }
    if !tls.curves.is_empty() {
        let wanted = tls.curves.iter().filter_map(|wanted| {
            provider.kx_groups.iter().find(|group| group.name() == group_of(*wanted))
        });
        provider.kx_groups = wanted.copied().collect();
    }
    provider
}

fn suite_of(suite: CipherSuite) -> rustls::CipherSuite {
    match suite {
        CipherSuite::EcdsaAes128Gcm => rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::EcdsaAes256Gcm => rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::EcdsaChacha20 => {
            rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        }
        CipherSuite::RsaAes128Gcm => rustls::CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::RsaAes256Gcm => rustls::CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::RsaChacha20 => {
            rustls::CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        }
    }
}

fn group_of(curve: Curve) -> NamedGroup {
    match curve {
        Curve::X25519 => NamedGroup::X25519,
        Curve::P256 => NamedGroup::secp256r1,
        Curve::P384 => NamedGroup::secp384r1,
    }
}

/// The PEM text, and the words with which a problem about it starts.
fn text(source: &Pem, key: &str) -> Result<(Zeroizing<Vec<u8>>, String), String> {
    match source {
        Pem::File(path) => {
            let place = format!("tls_server_config.{key}_file {}", path.display());
            let bytes = files::bytes(path, files::MAX_SMALL);
            let bytes = bytes.map_err(|error| format!("{place}: {error}"))?;
            Ok((Zeroizing::new(bytes), place))
        }
        Pem::Inline(_, text) => {
            let bytes = Zeroizing::new(text.expose().as_bytes().to_vec());
            Ok((bytes, format!("tls_server_config.{key}")))
        }
    }
}

fn certificates(source: &Pem, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let (text, place) = text(source, key)?;
    pem::certificates(&text).map_err(|problem| format!("{place}: {problem}"))
}

fn private_key(source: &Pem) -> Result<PrivateKeyDer<'static>, String> {
    let (text, place) = text(source, "key")?;
    pem::private_key(&text).map_err(|problem| format!("{place}: {problem}"))
}

fn client_verifier(
    tls: &Tls,
    provider: &Arc<CryptoProvider>,
    lets_in_without_certificate: bool,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    if tls.client_auth == ClientAuth::NoClientCert {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let mut signed = None;
    if let Some(source) = &tls.client_ca {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(source, "client_ca")? {
            roots.add(certificate).map_err(|error| {
                format!("tls_server_config.client_ca: a certificate cannot be used: {error}")
            })?;
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        signed = Some(
            verifier.build().map_err(|error| format!("tls_server_config.client_ca: {error}"))?,
        );
    }
    let verifies = matches!(
        tls.client_auth,
        ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert
    );
    Ok(Arc::new(Verifier {
        signed: signed.filter(|_| verifies),
        is_mandatory: requires_certificate(tls) && !lets_in_without_certificate,
        allowed_sans: tls.allowed_sans.clone(),
        algorithms: provider.signature_verification_algorithms,
    }))
}

/// Whether the policy requires a client certificate.
pub(super) fn requires_certificate(tls: &Tls) -> bool {
    matches!(
        tls.client_auth,
        ClientAuth::RequireAnyClientCert | ClientAuth::RequireAndVerifyClientCert
    )
}

/// Go's policies for client certificates.
#[derive(Debug)]
struct Verifier {
    /// Verifies that an authority has signed the certificate, if the policy wants that.
    signed: Option<Arc<dyn ClientCertVerifier>>,
    is_mandatory: bool,
    allowed_sans: Option<Vec<String>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.signed.as_ref().map_or(&[], |signed| signed.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(signed) = &self.signed {
            signed.verify_client_cert(certificate, intermediates, now)?;
        }
        match &self.allowed_sans {
            Some(allowed) if !has_one_of(certificate, allowed) => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            _ => Ok(ClientCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whether a certificate has one of `allowed` as a subject alternative name: a DNS name, an
/// address, an e-mail address or a URI, letter by letter.
fn has_one_of(certificate: &CertificateDer, allowed: &[String]) -> bool {
    let Ok((_, certificate)) = parse_x509_certificate(certificate) else { return false };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
    names.value.general_names.iter().any(|name| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            allowed.iter().any(|allowed| allowed == name)
        }
        GeneralName::IPAddress(bytes) => address(bytes)
            .is_some_and(|address| allowed.iter().any(|allowed| *allowed == address.to_string())),
        _ => false,
    })
}

fn address(bytes: &[u8]) -> Option<std::net::IpAddr> {
    let short = <[u8; 4]>::try_from(bytes).map(Into::into);
    short.or_else(|_| <[u8; 16]>::try_from(bytes).map(Into::into)).ok()
}
