//! List entries that no document shows, but that a cloud may still send.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Kinds of odd entries. The first five are added to the entries of a page that has some; the
/// others change every entry.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Odd {
    /// A number, null, a string and a list among the entries.
    NoObject,
    /// An entry without an id.
    WithoutId,
    /// An entry whose id is 5,000 characters long.
    LongId,
    /// An entry with half a surrogate pair in its id.
    BrokenId,
    /// A duplicate entry.
    Twice,
    /// Every user-written text ends with half a surrogate pair.
    HalfSurrogate,
    /// Every user-written text starts with two bytes of GBK.
    NotUtf8,
    /// Numbers are too large for any type.
    HugeNumber,
    /// Keys with a closed set of values occur twice, first with a number.
    RepeatedKey,
    /// Objects in place of the documented JSON in strings.
    BareObject,
    /// Entries have no field but their id.
    OnlyId,
}

/// Each list, and the field that identifies its entries.
const LISTS: [(&str, &str); 9] = [
    ("Tasks", "TaskId"),
    ("Commands", "CommandId"),
    ("InvokeInstances", "InstanceId"),
    ("InvocationResults", "InstanceId"),
    ("Clusters", "Id"),
    ("Regions", "RegionId"),
    ("Invocations", "InvokeId"),
    ("CommandInvocations", "InvokeId"),
    ("Instances", "InstanceId"),
];

const TEXTS: [&str; 6] = ["CommandName", "Name", "InstanceName", "Errors", "Message", "ErrorInfo"];
const NUMBERS: [&str; 3] = ["CurrentStep", "TotalSteps", "ExitCode"];
const WORDS: [&str; 7] = [
    "Status",
    "BusinessStatus",
    "TaskType",
    "InvokeStatus",
    "InstanceInvokeStatus",
    "InvokeRecordStatus",
    "InvocationStatus",
];

/// Stands for what a `Value` cannot hold until it is written; no answer contains this character.
const MARK: &str = "\u{f8ff}";
const MARKED: [(&str, &[u8]); 4] = [
    ("\u{f8ff}surrogate", br"\ud83d"),
    ("\u{f8ff}gbk", b"\xb1\xb8"),
    ("\"\u{f8ff}number\"", b"1e999"),
    ("\u{f8ff}again", b""),
];

impl Odd {
    /// Changes the entries of an answer, or adds odd ones.
    pub(crate) fn apply(self, body: &mut Value) {
        if let Some(result) = body.get_mut("InvocationResult") {
            self.distort(result);
        }
        for (list, id) in LISTS {
            if let Some(entries) =
                body.get_mut(list).and_then(entries).filter(|entries| !entries.is_empty())
            {
                for entry in entries.iter_mut() {
                    self.distort(entry);
                    self.strip(entry, id);
                }
                let more = self.beside(&entries[0], id);
                entries.extend(more);
            }
        }
    }

    /// The odd entries to add, derived from `first`.
    fn beside(self, first: &Value, id: &str) -> Vec<Value> {
        let with = |other: Value| {
            let mut entry = first.clone();
            entry[id] = other;
            vec![entry]
        };
        match self {
            Self::NoObject => vec![json!(7), Value::Null, json!("x"), json!([1, 2])],
            Self::WithoutId => with(Value::Null),
            Self::LongId => with("x".repeat(5000).into()),
            Self::BrokenId => with(format!("t-{MARK}surrogate").into()),
            Self::Twice => vec![first.clone()],
            _ => Vec::new(),
        }
    }

    fn strip(self, entry: &mut Value, id: &str) {
        if let (Self::OnlyId, Value::Object(fields)) = (self, entry) {
            fields.retain(|name, _| name == id);
        }
    }

    fn distort(self, entry: &mut Value) {
        let Value::Object(fields) = entry else { return };
        let mut again = Vec::new();
        for (name, field) in fields.iter_mut() {
            match (self, name.as_str(), &mut *field) {
                (Self::HalfSurrogate, name, Value::String(text)) if TEXTS.contains(&name) => {
                    text.push_str(&format!("{MARK}surrogate"));
                }
                (Self::NotUtf8, name, Value::String(text)) if TEXTS.contains(&name) => {
                    text.insert_str(0, &format!("{MARK}gbk"));
                }
                (Self::HugeNumber, name, field) if NUMBERS.contains(&name) => {
                    *field = format!("{MARK}number").into();
                }
                (Self::RepeatedKey, name, field) if WORDS.contains(&name) => {
                    again.push((format!("{MARK}again{name}"), std::mem::replace(field, json!(7))));
                }
                (Self::BareObject, "Errors", field) => {
                    *field = json!({"Code": "EcsError", "Message": "m"})
                }
                (Self::BareObject, "Result", field) => {
                    *field = json!({"Instances": {"InstanceId": "i-1"}})
                }
                _ => {}
            }
        }
        // The mark sorts after all letters, so the repeated key comes last.
        fields.extend(again);
    }
}

fn entries(list: &mut Value) -> Option<&mut Vec<Value>> {
    match list {
        Value::Array(entries) => Some(entries),
        Value::Object(wrapper) => wrapper.values_mut().find_map(Value::as_array_mut),
        _ => None,
    }
}

/// The bytes of an answer as sent.
pub(crate) fn written(body: &Value) -> Vec<u8> {
    let text = body.to_string();
    if !text.contains(MARK) {
        return text.into_bytes();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = &*text;
    while !rest.is_empty() {
        let next = MARKED
            .iter()
            .filter_map(|(mark, put)| Some((rest.find(mark)?, mark.len(), *put)))
            .min();
        let (at, length, put) = next.unwrap_or((rest.len(), 0, b""));
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        bytes.extend_from_slice(put);
        rest = &rest[at + length..];
    }
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Odd, written};

    fn sent(odd: Odd, mut body: Value) -> Vec<u8> {
        odd.apply(&mut body);
        written(&body)
    }

    #[test]
    fn what_no_value_holds_is_written_in_its_place() {
        let run = || json!({"Invocations": [{"CommandName": "a", "InvokeId": "t"}]});
        let named = |name: &[u8]| {
            [&b"{\"Invocations\":[{\"CommandName\":\""[..], name, b"\",\"InvokeId\":\"t\"}]}"]
                .concat()
        };
        assert_eq!(sent(Odd::HalfSurrogate, run()), named(br"a\ud83d"));
        assert_eq!(sent(Odd::NotUtf8, run()), named(b"\xb1\xb8a"));
        let task = || json!({"Tasks": {"TaskInfo": [{"CurrentStep": 3, "Status": "Failed"}]}});
        assert_eq!(
            sent(Odd::HugeNumber, task()),
            br#"{"Tasks":{"TaskInfo":[{"CurrentStep":1e999,"Status":"Failed"}]}}"#
        );
        assert_eq!(
            sent(Odd::RepeatedKey, task()),
            br#"{"Tasks":{"TaskInfo":[{"CurrentStep":3,"Status":7,"Status":"Failed"}]}}"#
        );
    }

    #[test]
    fn odd_entries_stand_beside_those_of_a_page_and_never_alone() {
        let ids = |odd, list: Value| -> Vec<Value> {
            let body = sent(odd, json!({"Clusters": list}));
            let body: Value = serde_json::from_slice(&body).unwrap();
            body["Clusters"].as_array().unwrap().iter().map(|entry| entry["Id"].clone()).collect()
        };
        let one = || json!([{"Id": "a"}]);
        assert_eq!(
            ids(Odd::NoObject, one()),
            [json!("a"), Value::Null, Value::Null, Value::Null, Value::Null]
        );
        assert_eq!(ids(Odd::WithoutId, one()), [json!("a"), Value::Null]);
        assert_eq!(ids(Odd::LongId, one())[1].as_str().unwrap().len(), 5000);
        assert_eq!(ids(Odd::Twice, one()), ["a", "a"]);
        assert_eq!(ids(Odd::NoObject, json!([])), [Value::Null; 0]);
        assert!(
            sent(Odd::BrokenId, json!({"Clusters": one()})).ends_with(br#"{"Id":"t-\ud83d"}]}"#)
        );
    }
}
