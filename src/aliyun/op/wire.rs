//! Tolerant reading of the cloud's JSON: bare and wrapped lists, numbers in strings, null, JSON inside strings.
//!
//! The vendor's documents, metadata and SDKs disagree on these; see "Drift" in `docs/alibaba-cloud-api.md`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor, value};
use serde::{Deserialize, de};

use crate::config::{MAX_NAME_BYTES, is_id, is_region};
use crate::model::Found;

/// A list, bare (`[…]`) or wrapped (`{"Task": […]}`); null and null entries are left out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor { wrapped: false, entry: PhantomData })
    }
}

/// The value behind a wrapper's key: a list, or something that is none of our business.
struct Inner<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Inner<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor { wrapped: true, entry: PhantomData }).map(|list| Self(list.0))
    }
}

struct ListVisitor<T> {
    wrapped: bool,
    entry: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list, or an object around a list")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(List::default())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        match text.trim() {
            "" | "[]" => Ok(List::default()),
            _ => Err(E::invalid_type(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = seq.next_element::<Option<T>>()? {
            entries.extend(entry);
        }
        Ok(List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while map.next_key::<IgnoredAny>()?.is_some() {
            if self.wrapped {
                return Err(de::Error::custom("expected a list, found an object inside an object"));
            }
            entries.extend(map.next_value::<Inner<T>>()?.0);
        }
        Ok(List(entries))
    }
}

/// A number, a string, a boolean or null, as text. Anything else counts as null.
///
/// A string without escapes stays where it is in the body.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Scalar<'a>(Option<Cow<'a, str>>);

impl Scalar<'_> {
    /// The text, if there is one that is not blank.
    pub(super) fn text(&self) -> Option<&str> {
        self.0.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }

    /// The text as a whole number.
    pub(super) fn integer(&self) -> Option<i64> {
        let text = self.text()?;
        text.parse().ok().or_else(|| text.strip_suffix(".0")?.parse().ok())
    }

    /// Whether the text is a point in time that names its zone.
    pub(super) fn has_zone(&self) -> bool {
        self.text().is_some_and(|text| text.parse::<Timestamp>().is_ok())
    }

    /// The text as a number of things.
    pub(super) fn count(&self) -> Option<u64> {
        self.integer().and_then(|number| u64::try_from(number).ok())
    }

    /// The text as a point in time, in any of the forms the cloud uses; without a zone it is UTC.
    pub(super) fn time(&self) -> Option<Timestamp> {
        let text = self.text()?;
        let zoned = text.parse::<Timestamp>();
        zoned.ok().or_else(|| Offset::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, a boolean or null")
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar(None))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(text.into())))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(text.to_owned().into())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(value.to_string().into())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(value.to_string().into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(value.to_string().into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar(Some(value.to_string().into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar(None))
    }
}

/// JSON inside a string, escaped once or twice, or not in a string at all. What cannot be read counts as absent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Embedded<T>(pub(super) Option<T>);

impl<T> Default for Embedded<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Embedded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EmbeddedVisitor(PhantomData))
    }
}

struct EmbeddedVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for EmbeddedVisitor<T> {
    type Value = Embedded<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON, or a string of JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Embedded(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Embedded(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Embedded(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Embedded(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Embedded(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Embedded(from_text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        T::deserialize(value::SeqAccessDeserializer::new(seq)).map(|inner| Embedded(Some(inner)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(value::MapAccessDeserializer::new(map)).map(|inner| Embedded(Some(inner)))
    }
}

/// Reads JSON from a string that may be a quoted string of JSON itself, or have its quotes escaped once more.
fn from_text<T: DeserializeOwned>(text: &str) -> Option<T> {
    if let Ok(inner) = serde_json::from_str::<T>(text) {
        return Some(inner);
    }
    let unescaped = serde_json::from_str::<String>(text)
        .or_else(|_| serde_json::from_str::<String>(&format!("\"{text}\"")))
        .ok()
        .filter(|unescaped| unescaped != text)?;
    serde_json::from_str(&unescaped).ok()
}

/// Cuts `text` to at most `bytes`, on a character.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// An entry of a list of clusters or servers: its id, name and region. One that cannot be one, since its id or region has
/// impossible characters, is left out and noted; a name that is too long for a label is cut.
pub(super) fn found(
    (id, name, region): (Option<&str>, Option<&str>, Option<&str>),
    id_field: &'static str,
    unknown: &mut UnknownWords,
) -> Option<Found> {
    let id = id.unwrap_or_default();
    if !is_id(id) {
        unknown.note(id_field, Some(id));
        return None;
    }
    if let Some(region) = region.filter(|region| !is_region(region)) {
        unknown.note("RegionId", Some(region));
        return None;
    }
    let name = cut(name.unwrap_or_default(), MAX_NAME_BYTES);
    Some(Found { id: id.into(), name: name.into(), region: region.map(Into::into) })
}

/// Words of an answer that nobody has heard of.
#[derive(Default)]
pub(super) struct UnknownWords(Vec<(&'static str, String)>);

impl UnknownWords {
    /// Notes `word` of `field`, if there is one; once per answer.
    pub(super) fn note(&mut self, field: &'static str, word: Option<&str>) {
        if let Some(word) = word
            && !self.0.iter().any(|(known, seen)| *known == field && seen == word)
        {
            self.0.push((field, cut(word, 64).to_owned()));
        }
    }

    /// The answer together with what was noted.
    pub(super) fn with<T>(self, value: T) -> super::Decoded<T> {
        super::Decoded { value, unknown: self.0, unreadable: 0, error: None }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::IgnoredAny;

    use super::{Embedded, List, Scalar, UnknownWords, cut, found};

    fn read<'a, T: Deserialize<'a>>(json: &'a str) -> T {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_cannot_be_an_id_or_a_region_is_left_out_and_told_and_a_long_name_is_cut() {
        let mut unknown = UnknownWords::default();
        let mut read = |id: &str, name: &str, region| found((Some(id), Some(name), region), "Id", &mut unknown);
        for (id, region) in [("a b", None), ("", None), (&*"x".repeat(129), None), ("ok", Some("CN\n"))] {
            assert_eq!(read(id, "", region), None, "{id:?} {region:?}");
        }
        let long = read("ok", &"备".repeat(100), Some("cn-hangzhou")).unwrap();
        assert_eq!((long.name.len(), long.region.as_deref()), (126, Some("cn-hangzhou")));
        assert_eq!(unknown.with(()).unknown.len(), 4);
    }

    #[test]
    fn lists_may_be_bare_wrapped_null_or_hold_nulls() {
        for json in ["[1, null, 2]", r#"{"Item": [1, 2]}"#, r#"{"Item": [1, 2], "More": []}"#] {
            assert_eq!(read::<List<i32>>(json).0, [1, 2], "{json}");
        }
        assert!(read::<List<i32>>("null").0.is_empty());
        assert!(read::<List<i32>>(r#"{"Item": null}"#).0.is_empty());
        assert!(serde_json::from_str::<List<i32>>(r#"{"a": {"b": []}}"#).is_err());
        assert!(serde_json::from_str::<List<i32>>("7").is_err());
    }

    #[test]
    fn numbers_may_be_strings_and_anything_may_be_null() {
        for (json, number) in [("7", Some(7)), (r#""7""#, Some(7)), ("7.0", Some(7)), ("null", None), ("{}", None)] {
            assert_eq!(read::<Scalar>(json).integer(), number, "{json}");
        }
        assert_eq!(read::<Scalar>(r#"" ""#).text(), None);
        assert_eq!(read::<Scalar>("true").text(), Some("true"));
    }

    #[test]
    fn every_form_of_time_is_read() {
        let expected = "2021-09-06T09:14:56Z".parse().ok();
        for text in ["2021-09-06T09:14:56Z", "2021-09-06T09:14:56.000Z", "2021-09-06T09:14:56", "2021-09-06 09:14:56"] {
            assert_eq!(read::<Scalar>(&format!("{text:?}")).time(), expected, "{text}");
        }
        assert_eq!(read::<Scalar>(r#""soon""#).time(), None);
    }

    #[test]
    fn json_in_strings_may_be_escaped_once_twice_or_not_at_all() {
        let plain = r#"[{"Code":"EcsError"}]"#;
        let once = serde_json::to_string(plain).unwrap();
        let twice = serde_json::to_string(&once).unwrap();
        let backslashes = serde_json::to_string(&plain.replace('"', "\\\"")).unwrap();
        for json in [plain, &once, &twice, &backslashes] {
            assert_eq!(read::<Embedded<List<IgnoredAny>>>(json).0.unwrap().0.len(), 1, "{json}");
        }
        assert_eq!(read::<Embedded<List<i32>>>(r#""[oops""#), Embedded(None));
        assert_eq!(read::<Embedded<List<i32>>>("3"), Embedded(None));
    }

    #[test]
    fn names_are_cut_on_a_character() {
        assert_eq!(cut("备份", 4), "备");
    }
}
