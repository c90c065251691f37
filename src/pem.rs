//! Certificates and keys from PEM, with or without a byte order mark, which would hide the first
//! line. Problems repeat none of the text.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificates in a text; at least one.
///
/// # Errors
/// If there is none, or the text is damaged.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(unmarked(text)).collect();
    // The error itself repeats a line as numbers.
    let found = found.map_err(|_| "it is not PEM, or damaged")?;
    if found.is_empty() {
        return Err("it holds no certificate; one begins with -----BEGIN CERTIFICATE-----");
    }
    Ok(found)
}

/// The first private key in a text.
///
/// # Errors
/// If there is none, or it is damaged or encrypted.
pub(crate) fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, &'static str> {
    PrivateKeyDer::from_pem_slice(unmarked(text)).map_err(|_| {
        "it holds no private key that can be used; one begins with -----BEGIN PRIVATE KEY-----, \
         unencrypted"
    })
}

fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::{certificates, private_key};

    #[test]
    fn a_byte_order_mark_hides_nothing() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.pem();
        let key = made.signing_key.serialize_pem();
        for mark in ["", "\u{feff}"] {
            let both = format!("{mark}{certificate}{certificate}");
            assert_eq!(certificates(both.as_bytes()).unwrap().len(), 2);
            assert!(private_key(format!("{mark}{key}").as_bytes()).is_ok());
        }
    }

    #[test]
    fn what_is_missing_or_damaged_is_told_without_its_text() {
        let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for (text, wanted) in [("", "no certificate"), (encrypted, "no certificate"), (cut, "PEM")]
        {
            let told = certificates(text.as_bytes()).unwrap_err();
            assert!(told.contains(wanted) && !told.contains("AAAA"), "{text}: {told}");
        }
        for text in ["", cut, encrypted] {
            let told = private_key(text.as_bytes()).unwrap_err();
            assert!(told.contains("no private key"), "{text}: {told}");
        }
    }
}
