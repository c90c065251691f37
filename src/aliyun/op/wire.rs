//! Tolerant reading of the cloud's answers: each entry and each field by itself, so that an odd one harms nothing beside it.
//!
//! The vendor's documents, metadata and SDKs disagree on these; see "Drift" in `docs/alibaba-cloud-api.md`.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::name::{cut, repaired};
use super::{Decoded, Undecoded};
use crate::aliyun::json::{Entries, Json, Object, top_level};
use crate::config::is_region;
use crate::model::{ErrorCode, Found, Page};

/// Longer ids make their entry unreadable.
const MAX_ID_BYTES: usize = 128;

/// Longer words are cut.
const MAX_WORD_BYTES: usize = 64;

/// No more words are noted of one answer.
const MAX_WORDS: usize = 100;

/// 2009-01-01T00:00:00Z: the vendor is no older, and writes 0001-01-01 or 1970-01-01 where there is no time.
const FIRST_SECOND: i64 = 1_230_768_000;

/// What every answer that is a list has beside it.
const ENVELOPE: [&str; 4] = ["RequestId", "TotalCount", "PageNumber", "PageSize"];

/// JSON inside JSON strings is looked for so deep.
const MAX_STRINGS: usize = 3;

/// An entry that cannot be told from others or is none.
#[derive(Debug, PartialEq)]
pub(super) struct Unreadable;

/// An entry, or what of it can be read.
pub(super) type Entry<T> = Result<T, Unreadable>;

/// Reads a page of a list: each entry by `read`, which is only handed objects. What cannot be read is left out and counted.
/// `id` is the field that makes an object an entry.
pub(super) fn page<T>(
    body: &[u8],
    (list, id): (&'static str, &str),
    asked: &[(&'static str, &str)],
    mut read: impl FnMut(&Object<'_>, &mut Oddities) -> Entry<T>,
) -> Result<Decoded<Page<T>>, Undecoded> {
    let answer = object(body, asked)?;
    let found = answer.entries(list, id);
    if found.is_none() && !answer.has(list) && !ENVELOPE.iter().any(|field| answer.has(field)) {
        return Err(Undecoded::Missing(list));
    }
    let (mut oddities, mut entries, mut items) = (Oddities::default(), 0, Vec::new());
    let total = answer.count("TotalCount");
    let is_partial = found.is_none() && total != Some(0);
    for entry in found.into_iter().flatten() {
        entries += 1;
        items.extend(oddities.read(entry, |entry, oddities| {
            is_about(entry, asked).map_err(|_| Unreadable)?;
            read(entry, oddities)
        }));
    }
    let page_size = answer.count("PageSize").filter(|size| *size > 0);
    Ok(oddities.with(Page { items, entries, total, page_size, is_partial }))
}

/// Reads an answer that is one object.
pub(super) fn object<'a>(body: &'a [u8], asked: &[(&'static str, &str)]) -> Result<Object<'a>, Undecoded> {
    let answer = top_level(body)?;
    is_about(&answer, asked)?;
    Ok(answer)
}

/// Whether an answer or entry names no other thing than was asked for; one that names none is believed.
pub(super) fn is_about(said: &Object<'_>, asked: &[(&'static str, &str)]) -> Result<(), Undecoded> {
    let is_other = |(field, id): &&(&'static str, &str)| said.text(field).is_some_and(|said| said != *id);
    asked.iter().find(is_other).map_or(Ok(()), |(field, _)| Err(Undecoded::Other(field)))
}

/// Words of an answer that this version does not know, and how many entries could not be read.
#[derive(Debug, Default)]
pub(super) struct Oddities {
    words: Vec<(&'static str, String)>,
    unreadable: u64,
}

impl Oddities {
    /// Reads one entry of a list.
    pub(super) fn read<T>(
        &mut self,
        entry: Option<Object<'_>>,
        mut read: impl FnMut(&Object<'_>, &mut Self) -> Entry<T>,
    ) -> Option<T> {
        let outcome = entry.ok_or(Unreadable).and_then(|entry| read(&entry, self));
        self.unreadable += u64::from(outcome.is_err());
        outcome.ok()
    }

    /// Notes `word` of `field`, if there is one; once per answer.
    pub(super) fn note(&mut self, field: &'static str, word: Option<&str>) {
        let Some(word) = word else { return };
        let is_noted = self.words.iter().any(|(known, seen)| *known == field && seen == word);
        if !is_noted && self.words.len() < MAX_WORDS {
            self.words.push((field, word.to_owned()));
        }
    }

    /// The answer together with what was noted.
    pub(super) fn with<T>(self, value: T) -> Decoded<T> {
        Decoded { value, unknown: self.words, unreadable: self.unreadable, error: None }
    }
}

/// The fields of the cloud's objects. What is null, of another type or not to be understood is absent.
impl<'a> Object<'a> {
    /// The exact text of an id: at most 128 letters, digits and `-_.:`, as all ids of the cloud are. A number without sign,
    /// point and exponent is one, too.
    pub(super) fn id(&self, field: &str) -> Entry<Cow<'a, str>> {
        let value = self.get(field).ok_or(Unreadable)?;
        let bytes = value.string().or_else(|| Some(value.number()?.as_bytes().into())).ok_or(Unreadable)?;
        let is_string = value.number().is_none();
        let of_text = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        let fits = |byte: &u8| if is_string { of_text(byte) } else { byte.is_ascii_digit() };
        let is_id = (1..=MAX_ID_BYTES).contains(&bytes.len()) && bytes.iter().all(fits);
        is_id.then(|| repaired(bytes)).ok_or(Unreadable)
    }

    /// A string, number or truth value as text without the space around it, if anything is left. What is not UTF-8 is
    /// replaced by U+FFFD.
    pub(super) fn text(&self, field: &str) -> Option<Cow<'a, str>> {
        text(self.get(field)?)
    }

    /// A word of a closed set, cut where it is longer than any; empty if it is missing.
    pub(super) fn word(&self, field: &str) -> String {
        self.optional_word(field).unwrap_or_default()
    }

    /// A word of a closed set, if it is there, cut where it is longer than any.
    pub(super) fn optional_word(&self, field: &str) -> Option<String> {
        self.text(field).map(|word| cut(&word, MAX_WORD_BYTES).to_owned())
    }

    /// A name as a label, told apart from all others; empty if it is missing.
    pub(super) fn name(&self, field: &str) -> String {
        let raw = self.get(field).and_then(|value| value.string().or_else(|| Some(value.scalar()?.as_bytes().into())));
        super::name::label(&raw.unwrap_or_default())
    }

    /// A whole number, be it written as text, with a point or with an exponent.
    pub(super) fn integer(&self, field: &str) -> Option<i64> {
        let text = self.text(field)?;
        text.parse().ok().or_else(|| exact(text.parse().ok()?))
    }

    /// A number of things.
    pub(super) fn count(&self, field: &str) -> Option<u64> {
        self.integer(field).and_then(|number| u64::try_from(number).ok())
    }

    /// A point in time, in any of the forms the cloud uses; without a zone it is UTC. One before 2009 is none.
    pub(super) fn time(&self, field: &str) -> Option<Timestamp> {
        time(&self.text(field)?)
    }

    /// Whether it is a point in time that names its zone.
    pub(super) fn has_zone(&self, field: &str) -> bool {
        self.text(field).is_some_and(|text| text.parse::<Timestamp>().is_ok())
    }

    /// The entries of a list: bare (`[…]`), wrapped (`{"Task": […]}`), or one that stands alone with or without a wrapper.
    /// `id` is the field that makes an object an entry. None if there is no list.
    pub(super) fn entries(&self, field: &str, id: &str) -> Option<impl Iterator<Item = Option<Object<'a>>> + use<'a>> {
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

/// The lists in a wrapper, else the entries that stand there without one.
fn wrapped<'a>(wrapper: &Object<'a>) -> Option<Vec<Entries<'a>>> {
    let lists: Vec<_> = wrapper.values().filter_map(Json::list).collect();
    if !lists.is_empty() {
        return Some(lists);
    }
    let alone: Vec<_> = wrapper.values().filter(|value| value.object().is_some()).map(Json::alone).collect();
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

/// A number that is whole and small enough to be exact.
fn exact(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= (1u64 << 53) as f64).then_some(number as i64)
}

fn time(text: &str) -> Option<Timestamp> {
    let zoned = text.parse::<Timestamp>();
    let time = zoned.ok().or_else(|| Offset::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok())?;
    (time.as_second() >= FIRST_SECOND).then_some(time)
}

/// What `read` makes of JSON that stands inside a string, escaped once or twice, or not in a string at all.
pub(super) fn embedded<T>(value: Json<'_>, read: &dyn Fn(Json<'_>) -> Option<T>) -> Option<T> {
    within(value, MAX_STRINGS, read)
}

fn within<T>(value: Json<'_>, strings: usize, read: &dyn Fn(Json<'_>) -> Option<T>) -> Option<T> {
    let Some(text) = value.string() else { return read(value) };
    let strings = strings.checked_sub(1)?;
    if let Some(inner) = Json::whole(&text) {
        return within(inner, strings, read);
    }
    // Quotes that are escaped once more than the string that they stand in.
    let quoted = [b"\"", &*text, b"\""].concat();
    let unescaped = Json::whole(&quoted)?.string().filter(|unescaped| *unescaped != text)?;
    within(Json::whole(&unescaped)?, strings, read)
}

/// How many things a list has, bare or wrapped, without nulls; one that stands alone is one. Nothing if it is no list or
/// holds what cannot be understood.
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

/// ErrorCode, if it is set; some documents print the text "null" where there is none.
pub(super) fn error_code(result: &Object<'_>) -> Option<ErrorCode> {
    result.optional_word("ErrorCode").filter(|code| code != "null").map(|code| ErrorCode::parse(&code))
}

/// An entry of a list of clusters or servers: its id, name and region.
pub(super) fn found(entry: &Object<'_>, [id, name, region]: [&str; 3]) -> Entry<Found> {
    let id = entry.id(id)?;
    if !crate::config::is_id(&id) {
        return Err(Unreadable);
    }
    let region = entry.text(region);
    if region.as_ref().is_some_and(|region| !is_region(region)) {
        return Err(Unreadable);
    }
    Ok(Found { id: (*id).into(), name: entry.name(name).into(), region: region.map(|region| (*region).into()) })
}

#[cfg(test)]
mod tests {
    use super::{MAX_WORDS, Object, Oddities, found, page, top_level};
    use crate::aliyun::op::{Decoded, Undecoded};
    use crate::model::{Found, Page};

    fn read(body: &str) -> Result<Decoded<Page<String>>, Undecoded> {
        page(body.as_bytes(), ("Things", "Id"), &[("Of", "us")], |entry, _| entry.id("Id").map(|id| id.into_owned()))
    }

    /// Ids, entries, how many were unreadable, and whether the page is partial.
    fn said(body: &str) -> (String, usize, u64, bool) {
        let Decoded { value: Page { items, entries, is_partial, .. }, unreadable, .. } = read(body).unwrap();
        (items.join(" "), entries, unreadable, is_partial)
    }

    #[test]
    fn lists_may_be_bare_wrapped_or_a_single_entry() {
        for list in [
            r#"[{"Id": "a"}, {"Id": "b"}]"#,
            r#"{"Thing": [{"Id": "a"}, {"Id": "b"}]}"#,
            r#"{"Thing": [], "Other": [{"Id": "a"}], "Thing": [{"Id": "b"}], "More": 7}"#,
            r#"{"A": {"Id": "a"}, "B": {"Id": "b"}}"#,
        ] {
            let (mut ids, ..) = said(&format!(r#"{{"Things": {list}}}"#));
            ids = if ids == "b a" { "a b".into() } else { ids };
            assert_eq!(ids, "a b", "{list}");
        }
        assert_eq!(said(r#"{"Things": {"Id": "a", "More": [7]}}"#), ("a".into(), 1, 0, false));
        for empty in ["[]", r#""[]""#, r#"{"Thing": []}"#] {
            assert_eq!(said(&format!(r#"{{"Things": {empty}}}"#)), (String::new(), 0, 0, false), "{empty}");
        }
    }

    #[test]
    fn without_a_list_the_page_is_partial_unless_there_is_nothing() {
        for list in ["null", "7", r#""soon""#, "{}", r#"{"Thing": null}"#] {
            let body = |total: &str| format!(r#"{{"RequestId": "r", "Things": {list}, "TotalCount": {total}}}"#);
            assert_eq!(said(&body("3")), (String::new(), 0, 0, true), "{list}");
            assert_eq!(said(&body("null")), (String::new(), 0, 0, true), "{list}");
            assert_eq!(said(&body("\"0\"")), (String::new(), 0, 0, false), "{list}");
        }
        assert!(said(r#"{"RequestId": "r"}"#).3);
        assert!(!said(r#"{"TotalCount": 0}"#).3);
        assert_eq!(read(r#"{"status": "down"}"#), Err(Undecoded::Missing("Things")), "that is of another program");
        assert!(matches!(read("<html>"), Err(Undecoded::Malformed { line: 1, column: 1 })));
    }

    #[test]
    fn an_odd_entry_harms_no_other() {
        let long = format!(r#"{{"Id": "{}"}}"#, "x".repeat(129));
        for odd in [
            "7",
            "null",
            "\"x\"",
            "[{}]",
            "oops",
            "{}",
            r#"{"Id": ""}"#,
            r#"{"Id": "a b"}"#,
            r#"{"Id": " a"}"#,
            r#"{"Id": "备"}"#,
            r#"{"Id": "a\ud83d"}"#,
            r#"{"Id": 1e999}"#,
            r#"{"Id": 1.5}"#,
            r#"{"Id": true}"#,
            r#"{"Id": {"a": "b"}}"#,
            r#"{"Id": "a" "b"}"#,
            r#"{"Id": "a", "Of": "them"}"#,
            r#"{"Id": "a", "Id": null}"#,
            &long,
        ] {
            let body = format!(r#"{{"Things": [{{"Id": "first"}}, {odd}, {{"Id": 7, "Of": "us"}}]}}"#);
            assert_eq!(said(&body), ("first 7".into(), 3, 1, false), "{odd}");
        }
    }

    #[test]
    fn what_is_odd_beside_the_id_harms_not_even_its_entry() {
        for odd in [
            r#""Name": "a\ud83d""#,
            "\"Name\": \"\u{1}\n\"",
            r#""Size": 1e999"#,
            r#""Size": [[[{}]]], "Size": 7"#,
            r#""Id": "x""#,
            "\"\": nan",
        ] {
            let body = format!(r#"{{"Things": [{{{odd}, "Id": "a"}}, {{"Id": "b"}}]}}"#);
            assert_eq!(said(&body), ("a b".into(), 2, 0, false), "{odd}");
        }
        let latin: Vec<u8> = [&b"\xef\xbb\xbf{\"Things\": [{\"Name\": \"caf\xe9\", \"Id\": \"a\"}]}"[..]].concat();
        assert_eq!(
            page(&latin, ("Things", "Id"), &[], |entry, _| Ok(entry.name("Name"))).unwrap().value.items[0],
            "caf\u{fffd}~dafd66c0"
        );
    }

    #[test]
    fn a_page_size_that_is_none_is_none() {
        for (size, read_as) in
            [("10", Some(10)), ("\"10\"", Some(10)), ("0", None), ("-1", None), ("null", None), ("\"all\"", None)]
        {
            let page = read(&format!(r#"{{"Things": [], "PageSize": {size}}}"#)).unwrap().value;
            assert_eq!(page.page_size, read_as, "{size}");
        }
    }

    fn field<T>(value: &str, read: impl Fn(&Object<'_>) -> T) -> T {
        read(&top_level(format!(r#"{{"A": {value}}}"#).as_bytes()).unwrap())
    }

    #[test]
    fn numbers_may_be_strings_and_anything_may_be_null() {
        let integer = |value| field(value, |object| object.integer("A"));
        for number in ["7", "\"7\"", "7.0", "0.7e1", "\" 7 \""] {
            assert_eq!(integer(number), Some(7), "{number}");
        }
        for none in ["null", "{}", "[7]", "7.5", "1e999", "\"1e999\"", "\"\"", "true", "123456789012345678901"] {
            assert_eq!(integer(none), None, "{none}");
        }
        assert_eq!(integer("-9223372036854775808"), Some(i64::MIN));
        assert!(field("\" \"", |object| object.text("A").is_none()));
    }

    #[test]
    fn every_form_of_time_is_read_and_one_before_the_cloud_is_none() {
        let time = |text: &str| field(&format!("{text:?}"), |object| object.time("A"));
        let expected = "2021-09-06T09:14:56Z".parse().ok();
        for text in ["2021-09-06T09:14:56Z", "2021-09-06T09:14:56.000Z", "2021-09-06T09:14:56", "2021-09-06 09:14:56"] {
            assert_eq!(time(text), expected, "{text}");
        }
        for none in
            ["soon", "", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T08:00:00", "2008-12-31T23:59:59Z"]
        {
            assert_eq!(time(none), None, "{none}");
        }
        assert!(time("2009-01-01T00:00:00Z").is_some());
    }

    #[test]
    fn what_cannot_be_an_id_or_a_region_makes_a_thing_unreadable_and_a_long_name_does_not() {
        let read = |id: &str, name: &str, region: &str| -> Option<Found> {
            let body = format!(r#"{{"I": {id:?}, "N": {name:?}, "R": {region:?}}}"#);
            found(&top_level(body.as_bytes()).unwrap(), ["I", "N", "R"]).ok()
        };
        for (id, region) in [("a b", "cn-x"), ("a_b", "cn-x"), ("", "cn-x"), ("ok", "CN\n")] {
            assert_eq!(read(id, "", region), None, "{id:?} {region:?}");
        }
        let long = read("ok", &"备".repeat(100), "cn-hangzhou").unwrap();
        assert_eq!((long.name.len(), long.region.as_deref()), (126, Some("cn-hangzhou")));
    }

    #[test]
    fn words_are_noted_once_and_only_so_many() {
        let mut oddities = Oddities::default();
        for number in 0..2 * MAX_WORDS {
            oddities.note("Status", Some(&format!("word {}", number % (MAX_WORDS + 7))));
        }
        assert_eq!(oddities.with(()).unknown.len(), MAX_WORDS);
        assert_eq!(field(&format!("{:?}", "x".repeat(5000)), |object| object.word("A")).len(), 64);
    }
}
