//! Which certification authorities are trusted for a connection to a server.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use crate::{files, pem};

/// TLS with built-in root certificates, so that an image needs no system certificates, plus those
/// of `ca_file`.
///
/// # Errors
/// That the file cannot be used, beginning with its path.
pub(crate) fn public_and(ca_file: Option<&Path>) -> Result<ClientConfig, String> {
    let mut roots = built_in();
    if let Some(path) = ca_file {
        add(&mut roots, path)?;
    }
    Ok(trusting(roots))
}

/// TLS with the certificates of `ca_file` alone.
///
/// # Errors
/// Those of [`public_and()`].
pub(crate) fn only(ca_file: &Path) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    add(&mut roots, ca_file)?;
    Ok(trusting(roots))
}

/// TLS that trusts no authority, for a client that is never given an https URL.
pub(crate) fn none() -> ClientConfig {
    trusting(RootCertStore::empty())
}

fn built_in() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

fn trusting(roots: RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let Ok(builder) = builder else { unreachable!("ring supports the default protocol versions") };
    builder.with_root_certificates(roots).with_no_client_auth()
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let problem = |what: String| format!("{}: {what}", path.display());
    let text = files::bytes(path, files::MAX_SMALL).map_err(|error| problem(error.to_string()))?;
    for certificate in pem::certificates(&text).map_err(|what| problem(what.to_owned()))? {
        roots
            .add(certificate)
            .map_err(|error| problem(format!("a certificate in it cannot be used: {error}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{add, built_in};

    #[test]
    fn the_built_in_roots_hold_the_authorities_of_the_web() {
        let built_in = built_in();
        assert!(built_in.len() > 100, "{}", built_in.len());
        // This authority signs for aliyuncs.com.
        assert!(
            built_in
                .subjects()
                .iter()
                .any(|name| String::from_utf8_lossy(name.as_ref()).contains("GlobalSign"))
        );
    }

    #[test]
    fn authorities_of_ones_own_come_beside_the_built_in_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let own = rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap();
        for mark in ["", "\u{feff}"] {
            std::fs::write(&path, mark.to_owned() + &own.cert.pem()).unwrap();
            let mut roots = built_in();
            add(&mut roots, &path).unwrap();
            assert_eq!(roots.len(), built_in().len() + 1);
        }
    }
}
