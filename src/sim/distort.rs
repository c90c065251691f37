//! Answers that are valid JSON but differ from the documentation.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::odd::Odd;

/// A change to an answer.
#[derive(Clone, Debug)]
pub(crate) enum Distortion {
    /// Numbers and booleans become strings, numeric strings become numbers, empty strings null.
    WrongTypes,
    /// Every status has this value.
    UnknownWords(String),
    /// Adds a `Code`; `list` says what happens to the answer's list or object.
    Code { code: Value, list: ListFate },
    /// `field` has another id than the requested one: everywhere, or only `once`.
    WrongIds { field: String, once: bool },
    /// Lists have odd entries.
    OddEntries(Odd),
    /// Every text about a failure is this one.
    ErrorTexts(String),
    /// Every status is null.
    NullWords,
    /// Every list and its TotalCount are null.
    NullLists,
}

/// What happens to an answer's own list or object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ListFate {
    /// It is null.
    #[default]
    Null,
    /// It is left out.
    Missing,
    /// It is empty.
    Empty,
    /// It is unchanged.
    Kept,
}

/// Fields with a closed set of values.
const STATUS_FIELDS: [&str; 6] = [
    "Status",
    "BusinessStatus",
    "InvokeStatus",
    "InstanceInvokeStatus",
    "InvokeRecordStatus",
    "InvocationStatus",
];

impl Distortion {
    /// Changes an answer, but not its `RequestId`.
    pub(crate) fn apply(&self, value: &mut Value) {
        match self {
            Self::WrongTypes => swap_types(value),
            Self::Code { code, list } => set_code(value, code, *list),
            Self::WrongIds { field, once } => _ = rename(value, field, *once),
            Self::OddEntries(odd) => odd.apply(value),
            Self::UnknownWords(word) => replace_words(value, &word.as_str().into()),
            Self::ErrorTexts(text) => replace_texts(value, text),
            Self::NullWords => replace_words(value, &Value::Null),
            Self::NullLists => remove_lists(value),
        }
    }
}

/// Adds the `Code`. The one array or object at the top level of an answer is its own.
fn set_code(value: &mut Value, code: &Value, list: ListFate) {
    let Value::Object(fields) = value else { return };
    let is_own = |(_, field): &(&String, &Value)| field.is_array() || field.is_object();
    let own: Vec<String> = fields.iter().filter(is_own).map(|(name, _)| name.clone()).collect();
    for name in own {
        match list {
            ListFate::Null => _ = fields.insert(name, Value::Null),
            ListFate::Missing => _ = fields.remove(&name),
            ListFate::Empty => empty(&mut fields[&name]),
            ListFate::Kept => {}
        }
    }
    if list != ListFate::Kept && fields.contains_key("TotalCount") {
        fields.insert("TotalCount".to_owned(), 0.into());
    }
    fields.insert("Code".to_owned(), code.clone());
    fields.insert("Message".to_owned(), "An error occurred.".into());
}

fn empty(value: &mut Value) {
    match value {
        Value::Array(items) => items.clear(),
        Value::Object(fields) => fields.clear(),
        _ => {}
    }
}

/// Changes the ids in `field`, everywhere or `once`; returns whether there were any.
fn rename(value: &mut Value, field: &str, once: bool) -> bool {
    let rest: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => match fields.get_mut(field) {
            Some(Value::String(id)) => {
                id.push_str("-of-another");
                return true;
            }
            _ => fields.values_mut().collect(),
        },
        _ => return false,
    };
    let mut is_done = false;
    for inner in rest {
        if !(once && is_done) {
            is_done |= rename(inner, field, once);
        }
    }
    is_done
}

fn swap_types(value: &mut Value) {
    match value {
        Value::Number(number) => *value = Value::String(number.to_string()),
        Value::Bool(truth) => *value = Value::String(truth.to_string()),
        Value::String(text) if text.is_empty() => *value = Value::Null,
        Value::String(text) => {
            if let Ok(number) = text.parse::<i64>() {
                *value = number.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(swap_types),
        Value::Object(fields) => fields.values_mut().for_each(swap_types),
        Value::Null => {}
    }
}

fn replace_words(value: &mut Value, word: &Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace_words(item, word)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if STATUS_FIELDS.contains(&name.as_str()) && field.is_string() {
                    *field = word.clone();
                } else {
                    replace_words(field, word);
                }
            }
        }
        _ => {}
    }
}

/// Replaces `ErrorInfo`, if there is one, and the messages in the JSON text of `Errors`.
fn replace_texts(value: &mut Value, text: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace_texts(item, text)),
        Value::Object(fields) => {
            for (name, field) in fields {
                match (name.as_str(), &mut *field) {
                    ("ErrorInfo", Value::String(info)) if !info.is_empty() => text.clone_into(info),
                    ("Errors", Value::String(errors)) => {
                        *errors = with_messages(errors, text).unwrap_or_else(|| errors.clone());
                    }
                    _ => replace_texts(field, text),
                }
            }
        }
        _ => {}
    }
}

fn with_messages(errors: &str, text: &str) -> Option<String> {
    let mut errors: Vec<Value> = serde_json::from_str(errors).ok()?;
    for error in &mut errors {
        error["Message"] = text.into();
    }
    Some(Value::from(errors).to_string())
}

/// Sets the body's own lists, bare or wrapped, and TotalCount to null; lists inside their entries
/// vanish with them.
fn remove_lists(body: &mut Value) {
    let is_wrapped = |field: &Value| {
        field.as_object().is_some_and(|fields| fields.values().all(Value::is_array))
    };
    for (name, field) in body.as_object_mut().into_iter().flatten() {
        if field.is_array() || is_wrapped(field) || name == "TotalCount" {
            *field = Value::Null;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_are_swapped() {
        let mut body = json!({"TotalCount": 3, "Timeout": "60", "Success": true, "Tasks": [{"Status": "Success", "Ip": ""}]});
        Distortion::WrongTypes.apply(&mut body);
        let wanted = json!({"TotalCount": "3", "Timeout": 60, "Success": "true", "Tasks": [{"Status": "Success", "Ip": null}]});
        assert_eq!(body, wanted);
    }

    #[test]
    fn words_are_replaced_only_where_a_status_stands() {
        let mut body = json!({"Tasks": [{"Status": "Success", "TaskType": "AddComputes"}]});
        Distortion::UnknownWords("Paused".to_owned()).apply(&mut body);
        assert_eq!(body, json!({"Tasks": [{"Status": "Paused", "TaskType": "AddComputes"}]}));
        Distortion::NullWords.apply(&mut body);
        assert_eq!(body, json!({"Tasks": [{"Status": null, "TaskType": "AddComputes"}]}));
    }

    #[test]
    fn texts_are_replaced_where_there_are_any() {
        let mut body = json!({"Tasks": [{"Errors": r#"[{"Code": "A", "Message": "m"}]"#}, {"Errors": "[]"}],
            "Servers": [{"ErrorInfo": "e"}, {"ErrorInfo": ""}]});
        Distortion::ErrorTexts("t".to_owned()).apply(&mut body);
        let errors = r#"[{"Code":"A","Message":"t"}]"#;
        let wanted = json!({"Tasks": [{"Errors": errors}, {"Errors": "[]"}],
            "Servers": [{"ErrorInfo": "t"}, {"ErrorInfo": ""}]});
        assert_eq!(body, wanted);
    }

    #[test]
    fn lists_are_null_whether_bare_or_wrapped() {
        let mut body = json!({"PageNumber": 1, "TotalCount": 1, "Tasks": [{"TaskId": "t"}], "InvokeStatus": "Running",
            "InvokeInstances": {"InvokeInstance": []}, "InvocationResult": {"ExitCode": 0}});
        Distortion::NullLists.apply(&mut body);
        let wanted = json!({"PageNumber": 1, "TotalCount": null, "Tasks": null, "InvokeStatus": "Running",
            "InvokeInstances": null, "InvocationResult": {"ExitCode": 0}});
        assert_eq!(body, wanted);
    }
}
