//! Lenient JSON parser, value by value: an invalid value leaves those beside it readable.
//!
//! A body is split into raw values, each parsed only when it is requested. Brackets and quotes must
//! match; anything may be between them. See "Drift" in `docs/alibaba-cloud-api.md`.

mod scan;
mod text;

use std::borrow::Cow;
use std::collections::BTreeMap;

use scan::{blank, expect, is_blank, string_end, value_end};
use text::{is_number, unescaped};

/// Where a body stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Line, from 1.
    pub(super) line: usize,
    /// Byte in the line, from 1.
    pub(super) column: usize,
}

/// Parses a body that is an object, with or without a byte order mark.
///
/// # Errors
/// If it is not one, or something follows it.
pub(super) fn top_level(body: &[u8]) -> Result<Object<'_>, Malformed> {
    let start = if body.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
    let read = Object::starting_at(body, blank(body, start));
    let outcome = read.and_then(|(object, end)| match blank(body, end) {
        end if end == body.len() => Ok(object),
        end => Err(end),
    });
    outcome.map_err(|at| position(&body[..at]))
}

fn position(before: &[u8]) -> Malformed {
    let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Malformed {
        line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
        column: 1 + line.len(),
    }
}

/// Initial capacity; few objects have more fields.
const USUAL_FIELDS: usize = 12;

/// The fields of an object.
#[derive(Clone, Debug)]
pub(super) struct Object<'a>(Vec<(Cow<'a, [u8]>, Json<'a>)>);

impl<'a> Object<'a> {
    /// Parses the object at `at` and returns where it ends; the error is where it stops being one.
    fn starting_at(bytes: &'a [u8], at: usize) -> Result<(Self, usize), usize> {
        let mut at = blank(bytes, expect(bytes, at, b'{')?);
        let mut fields = Vec::with_capacity(USUAL_FIELDS);
        while bytes.get(at) != Some(&b'}') {
            let key_end = string_end(bytes, at)?;
            let key = unescaped(&bytes[at + 1..key_end - 1]);
            let value = blank(bytes, expect(bytes, blank(bytes, key_end), b':')?);
            let value_end = value_end(bytes, value)?;
            fields.push((key, Json(&bytes[value..value_end])));
            at = blank(bytes, value_end);
            match bytes.get(at) {
                Some(b',') => at = blank(bytes, at + 1),
                Some(b'}') => {}
                _ => return Err(at),
            }
        }
        Ok((Self(fields), at + 1))
    }

    /// The value of a field; of a repeated one, the last.
    pub(super) fn get(&self, field: &str) -> Option<Json<'a>> {
        self.0.iter().rev().find(|(name, _)| **name == *field.as_bytes()).map(|(_, value)| *value)
    }

    /// Whether there is a field of this name.
    pub(super) fn has(&self, field: &str) -> bool {
        self.get(field).is_some()
    }

    /// Like `has`, ignoring letter case.
    pub(super) fn has_in_any_case(&self, field: &str) -> bool {
        self.0.iter().any(|(name, _)| name.eq_ignore_ascii_case(field.as_bytes()))
    }

    /// Whether it has no field.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values of all fields; of a repeated one, the last.
    pub(super) fn values(&self) -> impl Iterator<Item = Json<'a>> {
        self.0
            .iter()
            .map(|(name, value)| (&**name, *value))
            .collect::<BTreeMap<_, _>>()
            .into_values()
    }
}

/// A raw value, not parsed yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Json<'a>(&'a [u8]);

impl<'a> Json<'a> {
    /// The value that makes up all of `text`.
    pub(super) fn whole(text: &'a [u8]) -> Option<Self> {
        let start = blank(text, 0);
        let end = value_end(text, start).ok()?;
        (blank(text, end) == text.len()).then_some(Self(&text[start..end]))
    }

    /// Whether it is null.
    pub(super) fn is_null(self) -> bool {
        self.0 == b"null"
    }

    /// Whether it has one of JSON's types.
    pub(super) fn is_known(self) -> bool {
        matches!(self.0, [b'{' | b'[' | b'"', ..]) || self.is_null() || self.scalar().is_some()
    }

    /// The bytes of a string; a lone surrogate becomes three bytes that are not valid UTF-8.
    pub(super) fn string(self) -> Option<Cow<'a, [u8]>> {
        match self.0 {
            [b'"', text @ .., b'"'] => Some(unescaped(text)),
            _ => None,
        }
    }

    /// A number as it was written; `None` if it is beyond f64.
    pub(super) fn number(self) -> Option<&'a str> {
        // Lists and strings, which may be long, begin differently.
        self.0.first().filter(|byte| matches!(byte, b'-' | b'0'..=b'9'))?;
        str::from_utf8(self.0).ok().filter(|text| is_number(text))
    }

    /// A number or boolean as it was written.
    pub(super) fn scalar(self) -> Option<&'a str> {
        match self.0 {
            b"true" => Some("true"),
            b"false" => Some("false"),
            _ => self.number(),
        }
    }

    /// Its fields, if it is an object.
    pub(super) fn object(self) -> Option<Object<'a>> {
        let (object, end) = Object::starting_at(self.0, 0).ok()?;
        (end == self.0.len()).then_some(object)
    }

    /// Its entries, if it is a list.
    pub(super) fn list(self) -> Option<Entries<'a>> {
        match self.0 {
            [b'[', entries @ .., b']'] => Some(Entries(entries)),
            _ => None,
        }
    }

    /// A list with this value as its only entry.
    pub(super) fn alone(self) -> Entries<'a> {
        Entries(self.0)
    }
}

/// The entries of a list.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a>(&'a [u8]);

impl<'a> Entries<'a> {
    /// The fields of each entry, or `None` for one that is not an object.
    pub(super) fn objects(mut self) -> impl Iterator<Item = Option<Object<'a>>> {
        std::iter::from_fn(move || match Object::starting_at(self.0, self.start()?) {
            Ok((object, end)) => {
                self.0 = &self.0[end..];
                Some(Some(object))
            }
            Err(_) => self.next().map(|_| None),
        })
    }

    /// Where the next entry begins.
    fn start(&self) -> Option<usize> {
        self.0.iter().position(|byte| *byte != b',' && !is_blank(*byte))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        let start = self.start()?;
        // An entry always has an end, since the list around it has one.
        let end = value_end(self.0, start).unwrap_or(self.0.len());
        let entry = Json(&self.0[start..end]);
        self.0 = &self.0[end..];
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, Malformed, top_level};

    fn numbers(list: &str) -> Vec<Option<&str>> {
        Json::whole(list.as_bytes()).unwrap().list().unwrap().map(Json::number).collect()
    }

    #[test]
    fn the_last_of_two_fields_counts_and_a_byte_order_mark_does_not() {
        let body = "\u{feff} {\"a\": 1, \"\\u0061\": 2, \"b\": {\"a\": 3} }\n";
        let object = top_level(body.as_bytes()).unwrap();
        assert_eq!(object.get("a").unwrap().number(), Some("2"));
        assert_eq!((object.values().count(), object.has("c")), (2, false));
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        for (body, line, column) in [
            ("", 1, 1),
            ("<html>", 1, 1),
            ("[]", 1, 1),
            ("{\n\"a\": 1", 2, 7),
            ("{\"a\" 1}", 1, 6),
            ("{\"a\": \"b", 1, 9),
            ("{\"a\": [1, 2}", 1, 13),
            ("{} {}", 1, 4),
            ("{\"a\": \"\\", 1, 9),
        ] {
            assert_eq!(
                top_level(body.as_bytes()).unwrap_err(),
                Malformed { line, column },
                "{body}"
            );
        }
    }

    #[test]
    fn entries_are_told_apart_whatever_they_are() {
        assert_eq!(numbers("[]"), []);
        assert_eq!(
            numbers(" [1 ,-2.5e3,\n[1, 2], {\"a\": \"]\"}, oops, ]"),
            [Some("1"), Some("-2.5e3"), None, None, None]
        );
        let deep = format!("[{}{}, 7]", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(numbers(&deep), [None, Some("7")]);
    }

    #[test]
    fn an_object_that_is_out_of_order_is_none_and_leaves_the_next_one_whole() {
        let list = Json::whole(br#"[{"a": "b" "c"}, {"a": 1}, {7}, [1}, {"a": 2]]"#)
            .unwrap()
            .list()
            .unwrap();
        let read: Vec<_> = list.clone().map(|entry| entry.object().is_some()).collect();
        assert_eq!(read, [false, true, false, false, false]);
        assert_eq!(list.objects().map(|entry| entry.is_some()).collect::<Vec<_>>(), read);
    }

    #[test]
    fn a_backslash_that_is_half_a_character_of_gbk_ends_no_text_too_late() {
        let object = top_level(b"{\"a\": \"\xd5\x5c\", \"b\": \"\xe5\xa4\x87\\\", c\"}").unwrap();
        assert_eq!(&*object.get("a").unwrap().string().unwrap(), b"\xd5\x5c");
        assert_eq!(&*object.get("b").unwrap().string().unwrap(), "备\", c".as_bytes());
    }

    #[test]
    fn numbers_beyond_any_and_words_are_no_numbers() {
        assert_eq!(
            numbers("[1e999, nan, inf, -, +, 1.5, 12345678901234567890, 0x7]")[5..7],
            [Some("1.5"), Some("12345678901234567890")]
        );
        assert_eq!(numbers(&format!("[{}, 1e999, NaN, true, -]", "9".repeat(400))), [None; 5]);
    }
}
