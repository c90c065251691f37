//! Errors in JSON.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use super::fields::{Best, Depth, ErrorBody, Field, Level};

/// Maximum depth that is searched.
const DEEPEST: usize = 8;

/// The error in `text`, even if that is cut off later.
pub(super) fn error_body(text: &str, depth: Depth) -> Option<ErrorBody> {
    let mut best = Best::default();
    look(text, depth, 0, &mut best);
    best.told()
}

fn look(text: &str, depth: Depth, at: usize, best: &mut Best) {
    let mut scan = Scan { level: Level::default(), inner: Vec::new(), depth };
    // Invalid JSON ends the scan; what came before it counts.
    drop(serde_json::Deserializer::from_str(text).deserialize_any(&mut scan));
    let Scan { level, inner, .. } = scan;
    best.offer(level, at);
    if at < DEEPEST {
        for inner in inner {
            look(inner.get(), depth, at + 1, best);
        }
    }
}

/// The fields of one object, and the values inside it.
struct Scan<'a> {
    level: Level,
    inner: Vec<&'a RawValue>,
    depth: Depth,
}

impl<'a> Scan<'a> {
    fn keep(&mut self, value: &'a RawValue) {
        if self.depth == Depth::Any && value.get().starts_with(['{', '[']) {
            self.inner.push(value);
        }
    }
}

impl<'de> Visitor<'de> for &mut Scan<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(field)) = map.next_key()? {
            if field.is_none() && self.depth == Depth::Top {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value: &RawValue = map.next_value()?;
            self.keep(value);
            if let Some(field) = field {
                self.level.set(field, scalar(value.get()));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while self.depth == Depth::Any
            && let Some(value) = seq.next_element()?
        {
            self.keep(value);
        }
        Ok(())
    }
}

/// A string or a number as text.
fn scalar(json: &str) -> Option<String> {
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str::<Lenient>(json).ok().map(|text| text.0),
        b'-' | b'0'..=b'9' => Some(json.to_owned()),
        _ => None,
    }
}

/// The name of a field, if it is a wanted one.
struct Key(Option<Field>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Lenient::deserialize(deserializer).map(|name| Self(Field::of(&name.0)))
    }
}

/// A string with lone surrogates replaced by U+FFFD.
struct Lenient(String);

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(LenientVisitor)
    }
}

struct LenientVisitor;

impl Visitor<'_> for LenientVisitor {
    type Value = Lenient;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Lenient, E> {
        Ok(Lenient(text.to_owned()))
    }

    fn visit_bytes<E: de::Error>(self, text: &[u8]) -> Result<Lenient, E> {
        Ok(Lenient(String::from_utf8_lossy(text).into_owned()))
    }
}
