//! A log line and how it is written: with the same keys in both formats, those of Prometheus' own
//! components.

use std::fmt::{self, Write};

use jiff::Timestamp;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::cli::LogFormat;

/// A line, not yet written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) level: Level,
    /// Its place in the source. Lines from one place report the same event about different things.
    pub(super) place: &'static str,
    pub(super) message: String,
    /// A summary names the lines with the highest rank first. Not written.
    pub(super) rank: u64,
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl Line {
    /// The line for an event.
    pub(super) fn of(event: &Event<'_>) -> Self {
        let metadata = event.metadata();
        let level = *metadata.level();
        let place = metadata.name();
        let mut line = Self { level, place, message: String::new(), rank: 0, fields: Vec::new() };
        event.record(&mut line);
        line
    }

    /// The value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// The line as text, with a line end.
    pub(super) fn written(&self, format: LogFormat, now: Timestamp) -> String {
        let head = [
            ("ts", format!("{now:.3}").into()),
            ("level", self.level.as_str().to_ascii_lowercase().into()),
            ("msg", self.message.as_str().into()),
        ];
        let all = head.iter().chain(&self.fields).map(|(name, value)| (*name, value));
        let mut text = match format {
            LogFormat::Logfmt => logfmt(all),
            LogFormat::Json => json(all),
        };
        text.push('\n');
        text
    }
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "rank" => self.rank = value,
            name => self.fields.push((name, value.into())),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            name => self.fields.push((name, text.into())),
        }
    }
}

fn logfmt<'a>(fields: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let space = if text.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{space}{name}=");
        match value {
            Value::String(value) => quoted(value, &mut text),
            other => {
                let _ = write!(text, "{other}");
            }
        }
    }
    text
}

/// Quotes a value that would otherwise not be read back as one, and escapes what could move a
/// terminal's cursor.
fn quoted(value: &str, text: &mut String) {
    let is_odd = |c: char| c <= ' ' || c == '=' || c == '"' || c.is_control();
    if !value.is_empty() && !value.contains(is_odd) {
        return text.push_str(value);
    }
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

fn json<'a>(fields: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let comma = if text.is_empty() { '{' } else { ',' };
        let _ = write!(text, "{comma}\"{name}\":{value}");
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value;
    use tracing::Level;

    use super::Line;
    use crate::cli::LogFormat;

    fn line() -> Line {
        let fields: Vec<(&'static str, Value)> = vec![
            ("target", "i-1".into()),
            ("name", "web shop".into()),
            ("error", "a=\"b\"\n\u{1b}[31m\u{9b}m c:\\d".into()),
            ("token", "".into()),
            ("exit_code", (-3).into()),
        ];
        Line { level: Level::WARN, place: "here", message: "poll failed".into(), rank: 7, fields }
    }

    fn written(format: LogFormat) -> String {
        line().written(format, "2026-11-26T07:08:09.120456789Z".parse::<Timestamp>().unwrap())
    }

    #[test]
    fn in_logfmt_each_value_is_read_back_as_one() {
        assert_eq!(
            written(LogFormat::Logfmt),
            "ts=2026-11-26T07:08:09.120Z level=warn msg=\"poll failed\" target=i-1 name=\"web shop\" \
             error=\"a=\\\"b\\\"\\n\\u001b[31m\\u009bm c:\\\\d\" token=\"\" exit_code=-3\n"
        );
    }

    #[test]
    fn json_has_the_same_keys_in_the_same_order() {
        let text = written(LogFormat::Json);
        assert!(text.starts_with(
            r#"{"ts":"2026-11-26T07:08:09.120Z","level":"warn","msg":"poll failed","target":"i-1","#
        ));
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["error"], line().fields[2].1);
        assert_eq!(read["exit_code"], -3);
        assert_eq!(read.get("rank"), None, "it is for summaries only");
    }
}
