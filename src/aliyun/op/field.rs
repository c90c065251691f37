//! Fields of the cloud's objects, read as their expected types. What is null, of another type or
//! invalid is absent.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::name::repaired;
use super::wire::{Entry, Unreadable};
use crate::aliyun::json::{Entries, Json, Object};

/// Maximum length of an id; a longer one makes its entry unreadable.
const MAX_ID_BYTES: usize = 128;

/// 2009-01-01T00:00:00Z. The vendor is no older, and writes 0001-01-01 or 1970-01-01 for no time.
const FIRST_SECOND: i64 = 1_230_768_000;

/// Maximum depth of JSON strings nested in JSON strings.
const MAX_STRINGS: usize = 3;

impl<'a> Object<'a> {
    /// The exact text of an id: at most 128 letters, digits and `-_.:`, as in all ids of the cloud.
    /// A JSON number without sign, point or exponent is accepted, too.
    pub(super) fn id(&self, field: &str) -> Entry<Cow<'a, str>> {
        let value = self.get(field).ok_or(Unreadable)?;
        let bytes =
            value.string().or_else(|| Some(value.number()?.as_bytes().into())).ok_or(Unreadable)?;
        let is_string = value.number().is_none();
        let of_text = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        let fits = |byte: &u8| if is_string { of_text(byte) } else { byte.is_ascii_digit() };
        let is_id = (1..=MAX_ID_BYTES).contains(&bytes.len()) && bytes.iter().all(fits);
        is_id.then(|| repaired(bytes)).ok_or(Unreadable)
    }

    /// A string, number or boolean as trimmed text, if anything is left. Invalid UTF-8 becomes
    /// U+FFFD.
    pub(super) fn text(&self, field: &str) -> Option<Cow<'a, str>> {
        text(self.get(field)?)
    }

    /// A word of a closed set; empty if missing.
    pub(super) fn word(&self, field: &str) -> Cow<'a, str> {
        self.text(field).unwrap_or_default()
    }

    /// A name as a label, distinct from that of any other name; empty if missing.
    pub(super) fn name(&self, field: &str) -> String {
        let raw = self
            .get(field)
            .and_then(|value| value.string().or_else(|| Some(value.scalar()?.as_bytes().into())));
        super::name::label(&raw.unwrap_or_default())
    }

    /// A whole number, also if written as text, with a decimal point or with an exponent.
    pub(super) fn integer(&self, field: &str) -> Option<i64> {
        let text = self.text(field)?;
        text.parse().ok().or_else(|| exact(text.parse().ok()?))
    }

    /// A count: a whole number that is not negative.
    pub(super) fn count(&self, field: &str) -> Option<u64> {
        self.integer(field).and_then(|number| u64::try_from(number).ok())
    }

    /// A point in time, in any of the forms that the cloud uses; UTC if it has no zone. One before
    /// 2009 counts as absent.
    pub(super) fn time(&self, field: &str) -> Option<Timestamp> {
        time(&self.text(field)?)
    }

    /// Whether it is a point in time with a zone.
    pub(super) fn has_zone(&self, field: &str) -> bool {
        self.text(field).is_some_and(|text| text.parse::<Timestamp>().is_ok())
    }

    /// The entries of a list: bare (`[…]`), wrapped (`{"Task": […]}`), or a single one with or
    /// without a wrapper. `id` is the field that makes an object an entry. `None` if there is no
    /// list.
    pub(super) fn entries(
        &self,
        field: &str,
        id: &str,
    ) -> Option<impl Iterator<Item = Option<Object<'a>>> + use<'a>> {
        let value = self.get(field)?;
        let lists: Vec<Entries<'a>> = match value.object() {
            None if text(value).is_some_and(|text| text == "[]") => Vec::new(),
            None => vec![value.list()?],
            Some(entry) if entry.has(id) => vec![value.alone()],
            Some(wrapper) => wrapped(&wrapper)?,
        };
        Some(lists.into_iter().flat_map(Entries::objects))
    }
}

/// The lists in a wrapper, else the entries that are in it without a list.
fn wrapped<'a>(wrapper: &Object<'a>) -> Option<Vec<Entries<'a>>> {
    let lists: Vec<_> = wrapper.values().filter_map(Json::list).collect();
    if !lists.is_empty() {
        return Some(lists);
    }
    let alone: Vec<_> =
        wrapper.values().filter(|value| value.object().is_some()).map(Json::alone).collect();
    (!alone.is_empty()).then_some(alone)
}

fn text(value: Json<'_>) -> Option<Cow<'_, str>> {
    let text = match value.string() {
        Some(string) => repaired(string),
        None => value.scalar()?.into(),
    };
    match text.trim() {
        "" => None,
        trimmed if trimmed.len() == text.len() => Some(text),
        trimmed => Some(trimmed.to_owned().into()),
    }
}

/// A number, if it is whole and small enough to be exact.
fn exact(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= (1u64 << 53) as f64).then_some(number as i64)
}

fn time(text: &str) -> Option<Timestamp> {
    let zoned = text.parse::<Timestamp>();
    let time =
        zoned.ok().or_else(|| Offset::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok())?;
    (time.as_second() >= FIRST_SECOND).then_some(time)
}

/// What `read` makes of JSON inside a string, escaped once or twice, or not in a string at all.
pub(super) fn embedded<T>(value: Json<'_>, read: &dyn Fn(Json<'_>) -> Option<T>) -> Option<T> {
    within(value, MAX_STRINGS, read)
}

fn within<T>(value: Json<'_>, strings: usize, read: &dyn Fn(Json<'_>) -> Option<T>) -> Option<T> {
    let Some(text) = value.string() else { return read(value) };
    let strings = strings.checked_sub(1)?;
    if let Some(inner) = Json::whole(&text) {
        return within(inner, strings, read);
    }
    // Quotes that are escaped once more than the string around them.
    let quoted = [b"\"", &*text, b"\""].concat();
    let unescaped = Json::whole(&quoted)?.string().filter(|unescaped| *unescaped != text)?;
    within(Json::whole(&unescaped)?, strings, read)
}

/// The objects of a list, bare or wrapped; a single object is its only entry.
pub(super) fn objects(value: Json<'_>) -> Vec<Object<'_>> {
    let Some(object) = value.object() else {
        return value.list().into_iter().flat_map(Entries::objects).flatten().collect();
    };
    let lists: Vec<_> = object.values().filter_map(Json::list).collect();
    match !lists.is_empty() && lists.len() == object.values().count() {
        true => lists.into_iter().flat_map(Entries::objects).flatten().collect(),
        false => vec![object],
    }
}

/// Number of entries of a list, bare or wrapped, without nulls; a single entry counts as one.
/// `None` if it is not a list or contains invalid values.
pub(super) fn length(value: Json<'_>) -> Option<u64> {
    if let Some(list) = value.list() {
        return known(list);
    }
    let object = value.object().filter(|object| !object.is_empty())?;
    let lists: Vec<_> = object.values().filter_map(Json::list).collect();
    match lists.len() == object.values().count() {
        true => lists.into_iter().map(known).sum(),
        false => Some(1),
    }
}

fn known(mut list: Entries<'_>) -> Option<u64> {
    list.try_fold(0, |count, entry| entry.is_known().then(|| count + u64::from(!entry.is_null())))
}

#[cfg(test)]
mod tests {
    use super::Object;
    use crate::aliyun::json::top_level;

    fn field<T>(value: &str, read: impl Fn(&Object<'_>) -> T) -> T {
        read(&top_level(format!(r#"{{"A": {value}}}"#).as_bytes()).unwrap())
    }

    #[test]
    fn numbers_may_be_strings_and_anything_may_be_null() {
        let integer = |value| field(value, |object| object.integer("A"));
        for number in ["7", "\"7\"", "7.0", "0.7e1", "\" 7 \""] {
            assert_eq!(integer(number), Some(7), "{number}");
        }
        for none in [
            "null",
            "{}",
            "[7]",
            "7.5",
            "1e999",
            "\"1e999\"",
            "\"\"",
            "true",
            "123456789012345678901",
        ] {
            assert_eq!(integer(none), None, "{none}");
        }
        assert_eq!(integer("-9223372036854775808"), Some(i64::MIN));
        assert!(field("\" \"", |object| object.text("A").is_none()));
    }

    #[test]
    fn every_form_of_time_is_read_and_one_before_the_cloud_is_none() {
        let time = |text: &str| field(&format!("{text:?}"), |object| object.time("A"));
        let expected = "2021-09-06T09:14:56Z".parse().ok();
        for text in [
            "2021-09-06T09:14:56Z",
            "2021-09-06T09:14:56.000Z",
            "2021-09-06T09:14:56",
            "2021-09-06 09:14:56",
        ] {
            assert_eq!(time(text), expected, "{text}");
        }
        for none in [
            "soon",
            "",
            "0001-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z",
            "1970-01-01T08:00:00",
            "2008-12-31T23:59:59Z",
        ] {
            assert_eq!(time(none), None, "{none}");
        }
        assert!(time("2009-01-01T00:00:00Z").is_some());
    }
}
