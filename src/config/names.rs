//! Which names and ids of the cloud are valid.

use super::reader::Value;

/// Maximum length of a name or an id, in bytes.
pub(crate) const MAX_LENGTH: usize = 128;

/// Whether `id` is valid as the id of a cluster, command or server.
pub(crate) fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= MAX_LENGTH
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Whether `region` is valid as the id of a region.
pub(crate) fn is_region(region: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !region.is_empty() && region.len() <= MAX_LENGTH && region.bytes().all(fits)
}

/// The id of a `kind` of thing.
pub(super) fn id(value: &Value, kind: &str) -> Option<String> {
    let text = value.filled()?;
    if is_id(&text.value) {
        return Some(text.value);
    }
    value.problem(format!(
        "{} is not a {kind} id: letters, digits and - only, at most {MAX_LENGTH}",
        text.shown()
    ));
    None
}

/// The id of a region.
pub(super) fn region(value: &Value) -> Option<String> {
    let text = value.filled()?;
    if is_region(&text.value) {
        return Some(text.value);
    }
    value.problem(format!("{} is not a region id: write one like cn-hangzhou", text.shown()));
    None
}

/// A name that becomes a label: any text up to the maximum length, empty only if `may_be_empty`.
pub(super) fn label(value: &Value, may_be_empty: bool) -> Option<String> {
    let text = if may_be_empty { value.text() } else { value.filled() }?;
    if text.value.len() > MAX_LENGTH {
        value.problem(format!("must not be longer than {MAX_LENGTH} bytes"));
        return None;
    }
    Some(text.value)
}
