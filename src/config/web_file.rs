//! The file of `--web.config.file`, in the format of Prometheus' exporter-toolkit, so that one file
//! protects this exporter and others:
//! <https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>.
//!
//! What the toolkit accepts but does not act on, such as allowed SANs without a policy for client
//! certificates, is a problem here: the user would wrongly feel protected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::problem::{Problems, either};
use super::reader::{Reader, Section, Value};
use super::{parse, units};
use crate::secret::Secret;

const KEYS: &[&str] =
    &["tls_server_config", "http_server_config", "basic_auth_users", "rate_limit"];
const TLS_KEYS: &[&str] = &[
    "cert",
    "key",
    "client_ca",
    "cert_file",
    "key_file",
    "client_ca_file",
    "client_auth_type",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
];
const HTTP_KEYS: &[&str] = &["http2", "headers"];
const RATE_KEYS: &[&str] = &["interval", "burst"];

/// The headers that the toolkit's format can set, and the values that it accepts; any value if none
/// are listed.
const HEADERS: &[(&str, &[&str])] = &[
    ("Content-Security-Policy", &[]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-XSS-Protection", &[]),
    ("Strict-Transport-Security", &[]),
];

/// Cipher suites by Go's names. Those of TLS 1.3 cannot be chosen: they are always offered with it.
const CIPHER_SUITES: &[(&str, Option<CipherSuite>)] = &[
    ("TLS_AES_128_GCM_SHA256", None),
    ("TLS_AES_256_GCM_SHA384", None),
    ("TLS_CHACHA20_POLY1305_SHA256", None),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Some(CipherSuite::EcdsaAes128Gcm)),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Some(CipherSuite::EcdsaAes256Gcm)),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", Some(CipherSuite::EcdsaChacha20)),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Some(CipherSuite::RsaAes128Gcm)),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", Some(CipherSuite::RsaAes256Gcm)),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Some(CipherSuite::RsaChacha20)),
];

/// Curves by the toolkit's names.
const CURVES: &[(&str, Curve)] =
    &[("X25519", Curve::X25519), ("CurveP256", Curve::P256), ("CurveP384", Curve::P384)];

/// The content of `--web.config.file`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WebConfig {
    /// `tls_server_config`; without it, plain HTTP is served.
    pub tls: Option<Tls>,
    /// `http_server_config.http2`: whether HTTP/2 is offered, over TLS only.
    pub http2: bool,
    /// `http_server_config.headers`: added to each response; a blank value removes a header that
    /// this program sends by itself.
    pub headers: Vec<(HeaderName, Option<HeaderValue>)>,
    /// `basic_auth_users`: bcrypt hashes of passwords, by user name; if empty, none is required.
    pub users: BTreeMap<String, Secret>,
    /// `rate_limit`.
    pub rate_limit: Option<RateLimit>,
}

/// `tls_server_config`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tls {
    /// `cert` or `cert_file`: the server's certificate chain.
    pub certificate: Pem,
    /// `key` or `key_file`: its private key.
    pub key: Pem,
    /// `client_ca` or `client_ca_file`: authorities to verify client certificates against.
    pub client_ca: Option<Pem>,
    /// `client_auth_type`.
    pub client_auth: ClientAuth,
    /// `client_allowed_sans`: a client certificate must have one of these subject alternative
    /// names; any, if the file has no list.
    pub allowed_sans: Option<Vec<String>>,
    /// `min_version`.
    pub min_version: TlsVersion,
    /// `max_version`.
    pub max_version: TlsVersion,
    /// `cipher_suites` for TLS 1.2, preferred first; if empty, all that rustls offers.
    pub cipher_suites: Vec<CipherSuite>,
    /// `prefer_server_cipher_suites`: whether this order counts, instead of the client's.
    pub prefers_own_order: bool,
    /// `curve_preferences`: the curves offered, of which the client's order counts; if empty, all
    /// that rustls offers.
    pub curves: Vec<Curve>,
}

/// Where PEM text is.
#[derive(Clone, Debug, PartialEq)]
pub enum Pem {
    /// In a file; a relative path counts from the folder of the web configuration file.
    File(PathBuf),
    /// In the web configuration file, under this key.
    Inline(&'static str, Secret),
}

/// A policy for client certificates, named after Go's `crypto/tls.ClientAuthType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// None is requested.
    NoClientCert,
    /// One is requested, but not required, and not verified.
    RequestClientCert,
    /// One is required, but not verified.
    RequireAnyClientCert,
    /// None is required, but one that is sent must be signed by an authority.
    VerifyClientCertIfGiven,
    /// One signed by an authority is required.
    RequireAndVerifyClientCert,
}

/// A version of TLS that rustls offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// A cipher suite of TLS 1.2, with ECDHE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CipherSuite {
    /// `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`.
    EcdsaAes128Gcm,
    /// `TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384`.
    EcdsaAes256Gcm,
    /// `TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256`.
    EcdsaChacha20,
    /// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`.
    RsaAes128Gcm,
    /// `TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384`.
    RsaAes256Gcm,
    /// `TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256`.
    RsaChacha20,
}

/// A curve for the key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// Curve25519.
    X25519,
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
}

/// `rate_limit`: a token bucket for all requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Time in which one more request is allowed.
    pub interval: Duration,
    /// Maximum number of requests in a burst.
    pub burst: u32,
}

impl WebConfig {
    /// The configuration without a file: plain HTTP, open to all.
    pub fn open() -> Self {
        Self { http2: true, ..Self::default() }
    }
}

/// Parses a web configuration. `file` is its path, which problems show; relative paths in the
/// configuration count from its folder.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_web_config(file: &str, text: &str) -> Result<WebConfig, Problems> {
    // Nothing is expanded: bcrypt hashes contain dollars.
    let env = |_: &str| None;
    let reader = Reader::new(file, &env);
    let tree = parse::tree(file, text)?;
    let root = parse::root(&reader, tree.as_ref(), KEYS);
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let http = root.section("http_server_config", HTTP_KEYS);
    let config = WebConfig {
        tls: root.get("tls_server_config").and_then(|value| tls(&value.section(TLS_KEYS), folder)),
        http2: http.get("http2").and_then(|value| boolean(&value)).unwrap_or(true),
        headers: http.get("headers").map_or_else(Vec::new, |value| headers(&value)),
        users: root.get("basic_auth_users").map_or_else(BTreeMap::new, |value| users(&value)),
        rate_limit: root.get("rate_limit").and_then(|value| rate_limit(&value.section(RATE_KEYS))),
    };
    Problems::or(reader.problems.take(), config)
}

fn tls(section: &Section, folder: &Path) -> Option<Tls> {
    let certificate = pem(section, "cert", "cert_file", folder);
    let key = pem(section, "key", "key_file", folder);
    for (pem, name) in [(&certificate, "cert"), (&key, "key")] {
        if pem.is_none() && section.get(name).is_none() {
            let advice =
                format!(": write {name}_file, the path of a PEM file, or {name}, PEM text");
            section.missing(&format!("{name}_file"), &advice);
        }
    }
    let client_ca = pem(section, "client_ca", "client_ca_file", folder);
    let client_auth = section
        .get("client_auth_type")
        .and_then(|value| one_of(&value, CLIENT_AUTH, ""))
        .unwrap_or(ClientAuth::NoClientCert);
    client_policy(section, client_ca.is_some(), client_auth);
    let allowed_sans = section.get("client_allowed_sans").map(|value| sans(&value));
    let version = |key| section.get(key).and_then(|value| version(&value));
    let min_version = version("min_version");
    let max_version = version("max_version");
    if let (Some(TlsVersion::Tls13), Some(TlsVersion::Tls12)) = (min_version, max_version)
        && let Some(value) = section.get("max_version")
    {
        value.problem("is below min_version");
    }
    let max_version = max_version.unwrap_or(TlsVersion::Tls13);
    let named = words(section, "cipher_suites", CIPHER_SUITES, NO_SUCH_SUITE);
    let cipher_suites: Vec<CipherSuite> = named.iter().copied().flatten().collect();
    let is_tls13_only = !named.is_empty() && cipher_suites.is_empty();
    if is_tls13_only
        && max_version == TlsVersion::Tls12
        && let Some(value) = section.get("cipher_suites")
    {
        value.problem("holds no suite of TLS 1.2, and max_version allows nothing newer");
    }
    Some(Tls {
        certificate: certificate?,
        key: key?,
        client_ca,
        client_auth,
        allowed_sans,
        min_version: match min_version {
            None | Some(TlsVersion::Tls12) if !is_tls13_only => TlsVersion::Tls12,
            _ => TlsVersion::Tls13,
        },
        max_version,
        cipher_suites,
        prefers_own_order: section
            .get("prefer_server_cipher_suites")
            .and_then(|value| boolean(&value))
            .unwrap_or(true),
        curves: words(section, "curve_preferences", CURVES, NO_SUCH_CURVE),
    })
}

const CLIENT_AUTH: &[(&str, ClientAuth)] = &[
    ("NoClientCert", ClientAuth::NoClientCert),
    ("RequestClientCert", ClientAuth::RequestClientCert),
    ("RequireAnyClientCert", ClientAuth::RequireAnyClientCert),
    // An old name that the toolkit still accepts.
    ("RequireClientCert", ClientAuth::RequireAnyClientCert),
    ("VerifyClientCertIfGiven", ClientAuth::VerifyClientCertIfGiven),
    ("RequireAndVerifyClientCert", ClientAuth::RequireAndVerifyClientCert),
];

const NO_SUCH_SUITE: &str =
    " (TLS suites with CBC, RC4, 3DES or RSA key exchange are not offered by this program)";
const NO_SUCH_CURVE: &str = " (CurveP521 is not offered by this program)";

/// Reports settings for client certificates that protect nothing.
fn client_policy(section: &Section, has_ca: bool, client_auth: ClientAuth) {
    let verifies = matches!(
        client_auth,
        ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert
    );
    let of = |key: &str| section.get(key);
    if verifies && !has_ca {
        section.missing("client_ca_file", ": without it, client certificates cannot be verified");
    }
    if client_auth != ClientAuth::NoClientCert {
        return;
    }
    for key in ["client_ca", "client_ca_file", "client_allowed_sans"] {
        if let Some(value) = of(key) {
            value.problem(
                "does nothing without client_auth_type: set that to RequireAndVerifyClientCert",
            );
        }
    }
}

/// `key` or `file_key` of a section: at most one of them.
fn pem(section: &Section, key: &'static str, file_key: &str, folder: &Path) -> Option<Pem> {
    let text = |key: &str| {
        let value = section.get(key)?;
        let text = value.verbatim()?;
        (!text.is_empty()).then_some((value, text))
    };
    let inline = text(key);
    let file = text(file_key);
    if let (Some((value, _)), Some(_)) = (&inline, &file) {
        value.problem(format!("stands beside {file_key}: keep one of them"));
    }
    match (file, inline) {
        // A path is shown, and a key must not be.
        (Some((value, text)), _) if is_pem(text) => {
            value.problem(format!("must be the path of a file: write PEM text under {key}"));
            Some(Pem::Inline(key, Secret::new(text)))
        }
        (Some((_, path)), _) => Some(Pem::File(folder.join(path))),
        (None, Some((_, text))) => Some(Pem::Inline(key, Secret::new(text))),
        (None, None) => None,
    }
}

fn is_pem(text: &str) -> bool {
    text.contains("-----BEGIN") || text.contains(char::is_control)
}

fn sans(value: &Value) -> Vec<String> {
    value.items().iter().filter_map(Value::verbatim).map(str::to_owned).collect()
}

fn version(value: &Value) -> Option<TlsVersion> {
    const VERSIONS: &[(&str, TlsVersion)] =
        &[("TLS12", TlsVersion::Tls12), ("TLS13", TlsVersion::Tls13)];
    let note = match value.verbatim()? {
        "TLS10" | "TLS11" => " (TLS 1.0 and 1.1 are not offered by this program)",
        _ => "",
    };
    one_of(value, VERSIONS, note)
}

fn words<T: Copy>(section: &Section, key: &str, words: &[(&str, T)], note: &str) -> Vec<T> {
    section.items(key).iter().filter_map(|value| one_of(value, words, note)).collect()
}

/// The meaning of a word of a closed set; `note` says more about words that are not in it.
fn one_of<T: Copy>(value: &Value, words: &[(&str, T)], note: &str) -> Option<T> {
    let text = value.verbatim()?;
    let found = words.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        let all = either(words.iter().map(|(word, _)| *word));
        value.problem(format!("{} is not a valid value{note}: use {all}", shown(text)));
    }
    found.map(|(_, meaning)| *meaning)
}

fn headers(value: &Value) -> Vec<(HeaderName, Option<HeaderValue>)> {
    let mut headers = Vec::new();
    for (name, value) in value.children() {
        let Some((name, values)) = HEADERS.iter().find(|(known, _)| *known == name) else {
            let all = either(HEADERS.iter().map(|(name, _)| *name));
            value.problem(format!("is no header that can be set here: use {all}"));
            continue;
        };
        let Some(text) = value.verbatim() else { continue };
        if !text.is_empty() && !values.is_empty() && !values.contains(&text) {
            value.problem(format!("must be {}", either(values.iter().copied())));
            continue;
        }
        let header = if text.is_empty() { Ok(None) } else { HeaderValue::from_str(text).map(Some) };
        match (HeaderName::from_bytes(name.as_bytes()), header) {
            (Ok(name), Ok(header)) => headers.push((name, header)),
            _ => value.problem("must be one line of printable ASCII"),
        }
    }
    headers
}

fn users(value: &Value) -> BTreeMap<String, Secret> {
    let mut users = BTreeMap::new();
    for (name, value) in value.children() {
        let Some(hash) = value.verbatim() else { continue };
        if name.contains(':') {
            value.problem("a user name with a colon cannot log in: the colon ends it");
        } else if !is_bcrypt(hash) {
            value.problem(
                "is not a bcrypt hash: make one with `htpasswd -nBC 10 \"\" | tr -d ':\\n'`, in quotes",
            );
        } else {
            users.insert(name.to_owned(), Secret::new(hash));
        }
    }
    users
}

/// `$2y$10$` and 53 characters: a version, a cost from 4 to 31, a salt and a hash.
fn is_bcrypt(text: &str) -> bool {
    let mut parts = text.split('$');
    let is_version = |part| matches!(part, Some("2" | "2a" | "2b" | "2x" | "2y"));
    let is_cost = |part: Option<&str>| {
        part.filter(|part| part.len() == 2)
            .and_then(|part| part.parse::<u32>().ok())
            .is_some_and(|cost| (4..=31).contains(&cost))
    };
    let is_hash = |part: Option<&str>| {
        part.is_some_and(|part| {
            part.len() == 53
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/')
        })
    };
    parts.next() == Some("")
        && is_version(parts.next())
        && is_cost(parts.next())
        && is_hash(parts.next())
        && parts.next().is_none()
}

fn rate_limit(section: &Section) -> Option<RateLimit> {
    let value = section.get("interval")?;
    let text = value.verbatim()?;
    let Some(interval) = units::parse_go_duration(text) else {
        value.problem(format!("{} is not a duration: write 100ms, 1s or 1m30s", shown(text)));
        return None;
    };
    // The toolkit's way to say that there is no limit.
    if interval.is_zero() {
        return None;
    }
    let burst = section.small("burst", 1..=1_000_000);
    if section.get("burst").is_none() {
        section.missing("burst", ": without it every request would be refused");
    }
    Some(RateLimit { interval, burst: burst? })
}

/// A boolean as Go's YAML library reads it, by YAML 1.1.
fn boolean(value: &Value) -> Option<bool> {
    match value.verbatim()? {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "y" | "Y" | "on" | "On" | "ON" => {
            Some(true)
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "n" | "N" | "off" | "Off" | "OFF" => {
            Some(false)
        }
        _ => {
            value.problem("must be true or false");
            None
        }
    }
}

/// A word from the file, for a problem.
fn shown(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests;
