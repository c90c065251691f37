//! Encodings that a proxy or another intermediary may add to a response body.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::Response;
use http::header::{CONTENT_ENCODING, HeaderValue};

/// How a body is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coat {
    /// A byte order mark in front.
    Bom,
    /// gzip; `is_told` says whether `Content-Encoding` reports it.
    Gzip { is_told: bool },
}

impl Coat {
    /// Wraps a response.
    pub(crate) fn put_on(self, mut response: Response<Vec<u8>>) -> Response<Vec<u8>> {
        match self {
            Self::Bom => _ = response.body_mut().splice(0..0, *b"\xEF\xBB\xBF"),
            Self::Gzip { is_told } => {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
                // Writing into memory does not fail.
                let packed = gzip.write_all(response.body()).and_then(|()| gzip.finish());
                *response.body_mut() = packed.unwrap_or_default();
                if is_told {
                    response
                        .headers_mut()
                        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                }
            }
        }
        response
    }
}
