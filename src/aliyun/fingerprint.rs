//! Tells an answer that says what the one before said, without decoding either.
//!
//! Most of what is asked again has not changed: a server's list of runs says the same from one poll to the next but for
//! `RequestId`. So what was answered is remembered by 128 bits. That two different answers share them by chance does not
//! happen; and whoever could make two that do writes the list anyway, and has simpler ways to show what is not so.

use twox_hash::XxHash3_128;

/// What an answer says, but for its `RequestId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u128);

/// `RequestId` is looked for so near to either end: what is between are lists.
const NEAR: usize = 512;

impl Fingerprint {
    /// Of the body of an answer.
    pub fn of(body: &[u8]) -> Self {
        let (before, after) = without_request_id(body);
        let mut hasher = XxHash3_128::new();
        hasher.write(before);
        hasher.write(after);
        Self(hasher.finish_128())
    }
}

/// What stands before and after the value of `RequestId`. Quotes inside a JSON string are escaped, so what looks like the key
/// is the key. Where it is not found, the whole body stands before.
fn without_request_id(body: &[u8]) -> (&[u8], &[u8]) {
    let tail = body.len().saturating_sub(NEAR);
    let found = value(&body[tail..]).map(|(from, to)| (tail + from, tail + to));
    let found = found.or_else(|| value(&body[..body.len().min(NEAR)]));
    found.map_or((body, &[]), |(from, to)| (&body[..from], &body[to..]))
}

/// Where in `json` the value of `RequestId` begins and ends, if it is a string.
fn value(json: &[u8]) -> Option<(usize, usize)> {
    const KEY: &[u8] = b"\"RequestId\"";
    let key = json.windows(KEY.len()).position(|part| part == KEY)? + KEY.len();
    let is_filler = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b':');
    let quote = key + json[key..].iter().position(|byte| !is_filler(byte))?;
    (json[quote] == b'"').then_some(())?;
    let end = quote + 1 + json[quote + 1..].iter().position(|byte| *byte == b'"')?;
    Some((quote, end))
}

#[cfg(test)]
mod tests {
    use super::Fingerprint;

    fn same(one: &str, other: &str) -> bool {
        Fingerprint::of(one.as_bytes()) == Fingerprint::of(other.as_bytes())
    }

    #[test]
    fn answers_that_differ_in_their_request_id_alone_are_the_same() {
        assert!(same(r#"{"RequestId":"A-1","Runs":[]}"#, r#"{"RequestId":"B-22","Runs":[]}"#));
        assert!(same(r#"{"Runs":[], "RequestId" : "A-1"}"#, r#"{"Runs":[], "RequestId" : ""}"#));
        let long = "x".repeat(2000);
        for (before, after) in [("", &*long), (&*long, "")] {
            let body = |id: &str| format!(r#"{{"a":"{before}","RequestId":"{id}","b":"{after}"}}"#);
            assert!(same(&body("A-1"), &body("B-2")));
        }
    }

    #[test]
    fn answers_that_differ_in_anything_else_are_not() {
        for (one, other) in [
            (r#"{"RequestId":"A","Total":1}"#, r#"{"RequestId":"A","Total":2}"#),
            (r#"{"RequestId":1,"Total":1}"#, r#"{"RequestId":2,"Total":1}"#),
            (r#"{"Name":"RequestId","Total":"1"}"#, r#"{"Name":"RequestId","Total":"2"}"#),
            (r#"{"Name":"\"RequestId\":\"A\""}"#, r#"{"Name":"\"RequestId\":\"B\""}"#),
            ("", "{}"),
            (r#"{"RequestId":"A"#, r#"{"RequestId":"B"#),
            (r#"{"RequestId""#, r#"{"RequestId":"#),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
        let hidden = |id: &str| format!(r#"{{"a":"{0}","RequestId":"{id}","b":"{0}"}}"#, "x".repeat(2000));
        assert!(!same(&hidden("A"), &hidden("B")), "in the midst of a list it is something else's");
    }
}
