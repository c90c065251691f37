//! Tolerant decoding of the cloud's answers: each entry and each field on its own, so that a
//! malformed one does not affect the others.
//!
//! The vendor's documents, metadata and SDKs disagree on these; see "Drift" in
//! `docs/alibaba-cloud-api.md`.

use super::{Decoded, Undecoded};
use crate::aliyun::json::{Object, top_level};
use crate::config::is_region;
use crate::model::{DiscoveredResource, ErrorCode, Page};

/// Maximum number of unknown words that are noted per answer.
const MAX_WORDS: usize = 100;

/// Fields that every answer with a list has.
const ENVELOPE: [&str; 4] = ["RequestId", "TotalCount", "PageNumber", "PageSize"];

/// An entry that cannot be used: it is not an object, or nothing identifies it.
#[derive(Debug, PartialEq)]
pub(super) struct Unreadable;

/// An entry, as far as it can be read.
pub(super) type Entry<T> = Result<T, Unreadable>;

/// Decodes a page of a list: each entry by `read`, which is only given objects. What cannot be read
/// is left out and counted. `id` is the field that makes an object an entry.
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
    let mut oddities = Oddities::of(&answer);
    let mut entries = 0;
    let mut items = Vec::new();
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

/// Decodes an answer that is one object.
pub(super) fn object<'a>(
    body: &'a [u8],
    asked: &[(&'static str, &str)],
) -> Result<Object<'a>, Undecoded> {
    let answer = top_level(body)?;
    is_about(&answer, asked)?;
    Ok(answer)
}

/// Checks that an answer or entry is about what was requested; if it names nothing, it is trusted.
pub(super) fn is_about(said: &Object<'_>, asked: &[(&'static str, &str)]) -> Result<(), Undecoded> {
    let is_other =
        |(field, id): &&(&'static str, &str)| said.text(field).is_some_and(|said| said != *id);
    asked.iter().find(is_other).map_or(Ok(()), |(field, _)| Err(Undecoded::Other(field)))
}

/// Words of an answer that this version does not know, how many entries could not be read, and
/// whether it has a `Code`.
#[derive(Debug, Default)]
pub(super) struct Oddities {
    words: Vec<(&'static str, String)>,
    unreadable: u64,
    has_code: bool,
}

impl Oddities {
    /// Notes only whether `answer` has a `Code`.
    pub(super) fn of(answer: &Object<'_>) -> Self {
        Self { has_code: answer.has_in_any_case("Code"), ..Self::default() }
    }

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

    /// Notes `word` of `field`, if there is one, once per answer.
    pub(super) fn note(&mut self, field: &'static str, word: Option<&str>) {
        let Some(word) = word else { return };
        let is_noted = self.words.iter().any(|(known, seen)| *known == field && seen == word);
        if !is_noted && self.words.len() < MAX_WORDS {
            self.words.push((field, word.to_owned()));
        }
    }

    /// The answer, with what was noted.
    pub(super) fn with<T>(self, value: T) -> Decoded<T> {
        let Self { words, unreadable, has_code } = self;
        Decoded { value, unknown: words, unreadable, has_code, error: None }
    }
}

/// ErrorCode, if set; some documents show the text "null" for none.
pub(super) fn error_code(result: &Object<'_>) -> Option<ErrorCode> {
    result.text("ErrorCode").filter(|code| *code != "null").map(|code| ErrorCode::parse(&code))
}

/// An entry of a list of clusters or servers: its id, name and region.
pub(super) fn found(
    entry: &Object<'_>,
    [id, name, region]: [&str; 3],
) -> Entry<DiscoveredResource> {
    let id = entry.id(id)?;
    if !crate::config::is_id(&id) {
        return Err(Unreadable);
    }
    let region = entry.text(region);
    if region.as_ref().is_some_and(|region| !is_region(region)) {
        return Err(Unreadable);
    }
    Ok(DiscoveredResource {
        id: (*id).into(),
        name: entry.name(name).into(),
        region: region.map(|region| (*region).into()),
    })
}

#[cfg(test)]
mod tests {
    use super::{MAX_WORDS, Oddities, found, page, top_level};
    use crate::aliyun::op::{Decoded, Undecoded};
    use crate::model::{DiscoveredResource, Page};

    fn read(body: &str) -> Result<Decoded<Page<String>>, Undecoded> {
        page(body.as_bytes(), ("Things", "Id"), &[("Of", "us")], |entry, _| {
            entry.id("Id").map(|id| id.into_owned())
        })
    }

    /// Ids, number of entries, how many were unreadable, and whether the page is partial.
    fn said(body: &str) -> (String, usize, u64, bool) {
        let Decoded { value: Page { items, entries, is_partial, .. }, unreadable, .. } =
            read(body).unwrap();
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
            assert_eq!(
                said(&format!(r#"{{"Things": {empty}}}"#)),
                (String::new(), 0, 0, false),
                "{empty}"
            );
        }
    }

    #[test]
    fn without_a_list_the_page_is_partial_unless_there_is_nothing() {
        for list in ["null", "7", r#""soon""#, "{}", r#"{"Thing": null}"#] {
            let body = |total: &str| {
                format!(r#"{{"RequestId": "r", "Things": {list}, "TotalCount": {total}}}"#)
            };
            assert_eq!(said(&body("3")), (String::new(), 0, 0, true), "{list}");
            assert_eq!(said(&body("null")), (String::new(), 0, 0, true), "{list}");
            assert_eq!(said(&body("\"0\"")), (String::new(), 0, 0, false), "{list}");
        }
        assert!(said(r#"{"RequestId": "r"}"#).3);
        assert!(!said(r#"{"TotalCount": 0}"#).3);
        assert_eq!(
            read(r#"{"status": "down"}"#),
            Err(Undecoded::Missing("Things")),
            "that is of another program"
        );
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
            let body =
                format!(r#"{{"Things": [{{"Id": "first"}}, {odd}, {{"Id": 7, "Of": "us"}}]}}"#);
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
        let latin: Vec<u8> =
            [&b"\xef\xbb\xbf{\"Things\": [{\"Name\": \"caf\xe9\", \"Id\": \"a\"}]}"[..]].concat();
        assert_eq!(
            page(&latin, ("Things", "Id"), &[], |entry, _| Ok(entry.name("Name")))
                .unwrap()
                .value
                .items[0],
            "caf\u{fffd}~dafd66c0"
        );
    }

    #[test]
    fn a_page_size_that_is_none_is_none() {
        for (size, read_as) in [
            ("10", Some(10)),
            ("\"10\"", Some(10)),
            ("0", None),
            ("-1", None),
            ("null", None),
            ("\"all\"", None),
        ] {
            let page = read(&format!(r#"{{"Things": [], "PageSize": {size}}}"#)).unwrap().value;
            assert_eq!(page.page_size, read_as, "{size}");
        }
    }

    #[test]
    fn what_cannot_be_an_id_or_a_region_makes_a_thing_unreadable_and_a_long_name_does_not() {
        let read = |id: &str, name: &str, region: &str| -> Option<DiscoveredResource> {
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
    }
}
