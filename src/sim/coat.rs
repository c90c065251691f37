//! What something on the way does to the bytes of an answer.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::Response;
use http::header::{CONTENT_ENCODING, HeaderValue};

/// What is put around a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coat {
    /// A byte order mark before it.
    Bom,
    /// gzip; whether `Content-Encoding` says so.
    Gzip { is_told: bool },
}

impl Coat {
    /// The answer with the coat on.
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
