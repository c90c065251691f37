use std::path::PathBuf;
use std::time::Duration;

use super::super::units::parse_go_duration;
use super::{ClientAuth, Pem, RateLimit, TlsVersion, WebConfig, parse_web_config};

const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

fn parse(text: &str) -> Result<WebConfig, String> {
    parse_web_config("/etc/web/web.yml", text).map_err(|problems| problems.to_string())
}

/// What is wrong with it.
fn refused(text: &str) -> String {
    parse(text).expect_err(text)
}

#[test]
fn an_empty_file_guards_nothing_and_offers_http2() {
    for text in ["", "# nothing\n", "tls_server_config:\nbasic_auth_users:\n"] {
        assert_eq!(parse(text).unwrap(), WebConfig::open(), "{text}");
    }
}

#[test]
fn the_toolkits_own_example_is_read() {
    let text = format!(
        "tls_server_config:\n  cert_file: server.crt\n  key_file: /keys/server.key\n\
         basic_auth_users:\n  alice: {HASH}\n  bob: '{HASH}'\n"
    );
    let config = parse(&text).unwrap();
    let tls = config.tls.unwrap();
    assert_eq!(
        tls.certificate,
        Pem::File(PathBuf::from("/etc/web/server.crt")),
        "as the file's neighbour"
    );
    assert_eq!(tls.key, Pem::File(PathBuf::from("/keys/server.key")));
    assert_eq!((tls.min_version, tls.max_version), (TlsVersion::Tls12, TlsVersion::Tls13));
    assert_eq!(tls.client_auth, ClientAuth::NoClientCert);
    assert!(tls.prefers_own_order);
    assert_eq!(config.users.keys().collect::<Vec<_>>(), ["alice", "bob"]);
    assert!(!format!("{:?}", config.users).contains("X0h1"), "a hash is a secret");
}

#[test]
fn every_key_of_the_format_is_known() {
    let text = format!(
        "tls_server_config:
  cert: |
    -----BEGIN CERTIFICATE-----
    x
    -----END CERTIFICATE-----
  key: k
  client_ca: c
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [prometheus.example.com, 10.0.0.1]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: no
  curve_preferences: [CurveP256, X25519]
http_server_config:
  http2: off
  headers:
    X-Frame-Options: sameorigin
    Strict-Transport-Security: max-age=31536000
    Content-Security-Policy: \"\"
basic_auth_users: {{a: {HASH}}}
rate_limit: {{interval: 1.5s, burst: 20}}
"
    );
    let config = parse(&text).unwrap();
    let tls = config.tls.unwrap();
    assert!(
        matches!(tls.certificate, Pem::Inline("cert", text) if text.expose().lines().count() == 3)
    );
    assert_eq!(tls.allowed_sans.unwrap(), ["prometheus.example.com", "10.0.0.1"]);
    assert_eq!(tls.cipher_suites.len(), 1, "those of TLS 1.3 are always there");
    assert_eq!(tls.min_version, TlsVersion::Tls12);
    assert!(!tls.prefers_own_order && !config.http2);
    let headers: Vec<(&str, bool)> =
        config.headers.iter().map(|(name, value)| (name.as_str(), value.is_some())).collect();
    assert_eq!(
        headers,
        [
            ("x-frame-options", true),
            ("strict-transport-security", true),
            ("content-security-policy", false)
        ]
    );
    let limit = RateLimit { interval: Duration::from_millis(1500), burst: 20 };
    assert_eq!(config.rate_limit, Some(limit));
}

#[test]
fn what_this_program_does_not_offer_is_refused_by_name() {
    let with = |line: &str| {
        refused(&format!("tls_server_config:\n  cert_file: c\n  key_file: k\n  {line}\n"))
    };
    for (line, words) in [
        ("min_version: TLS10", "TLS12 or TLS13"),
        ("max_version: TLS11", "TLS 1.0 and 1.1"),
        ("cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]", "CBC"),
        ("curve_preferences: [CurveP521]", "X25519, CurveP256 or CurveP384"),
        ("client_auth_type: Always", "RequireAndVerifyClientCert"),
        ("min_version: TLS13\n  max_version: TLS12", "below min_version"),
        ("max_version: TLS12\n  cipher_suites: [TLS_AES_128_GCM_SHA256]", "no suite of TLS 1.2"),
    ] {
        let told = with(line);
        assert!(told.contains(words), "{line}: {told}");
        assert!(told.contains("tls_server_config."), "{told}");
    }
}

#[test]
fn what_would_guard_nothing_is_refused() {
    for (text, words) in [
        ("tls_server_config: {min_version: TLS13}", "cert_file"),
        ("tls_server_config: {cert_file: c}", "key_file"),
        ("tls_server_config: {cert_file: c, cert: d, key_file: k}", "keep one"),
        ("tls_server_config: {cert_file: c, key_file: k, client_ca_file: a}", "client_auth_type"),
        (
            "tls_server_config: {cert_file: c, key_file: k, client_allowed_sans: [a]}",
            "client_auth_type",
        ),
        (
            "tls_server_config: {cert_file: c, key_file: k, client_auth_type: RequireAndVerifyClientCert}",
            "client_ca_file",
        ),
        ("basic_auth_users: {a: hunter2}", "bcrypt"),
        ("basic_auth_user: {a: b}", "did you mean \"basic_auth_users\"?"),
        ("rate_limit: {interval: 1s}", "burst"),
        ("rate_limit: {interval: soon, burst: 1}", "duration"),
        ("rate_limit: {interval: 1s, burst: 0}", "from 1"),
        ("http_server_config: {headers: {X-Powered-By: x}}", "X-Frame-Options"),
        ("http_server_config: {headers: {X-Frame-Options: allow}}", "deny or sameorigin"),
        ("http_server_config: {http2: maybe}", "true or false"),
    ] {
        let told = refused(text);
        assert!(told.contains(words), "{text}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    let told = refused(&format!("basic_auth_users: {{\"a:hunter2\": {HASH}}}"));
    assert!(told.contains("colon") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_key_where_its_path_belongs_is_refused_and_not_shown() {
    let pem = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n";
    for text in [pem, &pem.replace('\n', " "), "hunter2\nhunter2"] {
        let told = refused(&format!("tls_server_config: {{cert_file: c, key_file: {text:?}}}"));
        assert!(told.ends_with("must be the path of a file: write PEM text under key"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn a_rate_limit_without_interval_is_none() {
    assert_eq!(parse("rate_limit: {interval: 0, burst: 1}").unwrap().rate_limit, None);
    assert_eq!(parse("rate_limit: {interval: 0s}").unwrap().rate_limit, None);
}

#[test]
fn durations_are_gos() {
    let milliseconds = |text| parse_go_duration(text).map(|duration| duration.as_millis());
    for (text, wanted) in [
        ("1s", Some(1000)),
        ("1m30.5s", Some(90_500)),
        ("1.5h", Some(5_400_000)),
        ("250ms", Some(250)),
        ("1000000000", Some(1000)),
        ("0", Some(0)),
        ("", None),
        ("s", None),
        ("1 s", None),
        ("-1s", None),
        ("1d", None),
        ("1e300h", None),
    ] {
        assert_eq!(milliseconds(text), wanted, "{text}");
    }
}

#[test]
fn problems_name_file_line_and_key_and_only_the_hash_of_bcrypt_passes() {
    let told = refused("basic_auth_users:\n  a: x\n");
    assert!(told.starts_with("/etc/web/web.yml:2: basic_auth_users.a: "), "{told}");
    let lowest = HASH.replace("$10$", "$03$");
    let short = &HASH[..HASH.len() - 1];
    for hash in [lowest.as_str(), short, "$2y$10$", "", "2y$10$x", &format!("{HASH}$")] {
        refused(&format!("basic_auth_users: {{a: '{hash}'}}"));
    }
}
