//! The fields of an error, and which of several errors in a body counts.

/// An error as found in a body, not yet cleaned.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::aliyun) struct ErrorBody {
    /// `Code`; a word, or a number as text.
    pub(in crate::aliyun) code: String,
    /// `Message`, if there is one.
    pub(in crate::aliyun) message: Option<String>,
    /// `RequestId`, if there is one.
    pub(in crate::aliyun) request_id: Option<String>,
}

/// Which codes of a body count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::aliyun) enum Depth {
    /// Only one at the top level, beside the requested data.
    Top,
    /// One at any depth; the outermost wins.
    Any,
}

/// Whether a code means success.
fn is_fine(code: &str) -> bool {
    // A code of invisible characters is none.
    let code = code.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let is_word = ["ok", "success"].iter().any(|word| code.eq_ignore_ascii_case(word));
    code.is_empty() || is_word || matches!(code.parse(), Ok(0.0 | 200.0))
}

/// The wanted fields of an object, or children of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Code,
    /// `Code` in another letter case: it counts if the documented one names no error.
    OddCode,
    Message,
    RequestId,
}

impl Field {
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "Code" => Some(Self::Code),
            _ if name.eq_ignore_ascii_case("code") => Some(Self::OddCode),
            _ if name.eq_ignore_ascii_case("message") => Some(Self::Message),
            _ if name.eq_ignore_ascii_case("requestid") => Some(Self::RequestId),
            _ => None,
        }
    }
}

/// The wanted fields of one object or element; of a repeated one, the last counts.
#[derive(Debug, Default)]
pub(super) struct Level {
    code: Option<String>,
    odd_code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

impl Level {
    pub(super) fn set(&mut self, field: Field, text: Option<String>) {
        match field {
            Field::Code => self.code = text,
            Field::OddCode => self.odd_code = text,
            Field::Message => self.message = text,
            Field::RequestId => self.request_id = text,
        }
    }
}

/// The outermost error found so far.
#[derive(Debug, Default)]
pub(super) struct Best {
    depth: usize,
    error_body: Option<ErrorBody>,
    /// It is often outside the error.
    request_id: Option<String>,
}

impl Best {
    pub(super) fn offer(&mut self, level: Level, depth: usize) {
        if self.request_id.is_none() {
            self.request_id.clone_from(&level.request_id);
        }
        let codes = level.code.into_iter().chain(level.odd_code);
        let Some(code) = codes.into_iter().find(|code| !is_fine(code)) else { return };
        if self.error_body.is_none() || depth < self.depth {
            let Level { message, request_id, .. } = level;
            self.depth = depth;
            self.error_body = Some(ErrorBody { code, message, request_id });
        }
    }

    pub(super) fn told(self) -> Option<ErrorBody> {
        let error_body = self.error_body?;
        Some(ErrorBody { request_id: error_body.request_id.or(self.request_id), ..error_body })
    }
}
