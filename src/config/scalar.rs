//! Single values: text, numbers, booleans, durations, sizes and choices.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::expand::expand;
use super::problem::{either, hint};
use super::reader::{Section, Value, what};
use super::units::{format_duration, format_size, parse_size};
use super::yaml::{Kind, Scalar};

/// A word of a closed set, and what it means.
pub(super) type Choice<T> = (&'static str, T);

/// A string after expansion.
pub(super) struct Text<'a> {
    /// After its variables are replaced.
    pub(super) value: String,
    /// As it is in the file; this is what problems show.
    raw: &'a str,
    /// Whether its section contains secrets, one of which may be on the wrong line.
    hidden: bool,
}

impl Text<'_> {
    /// The text from the file, in quotes, for a problem; not shown if it may be a secret.
    pub(super) fn shown(&self) -> String {
        if self.hidden {
            return "this text".to_owned();
        }
        match self.raw.char_indices().nth(80) {
            Some((end, _)) => format!("{:?}…", &self.raw[..end]),
            None => format!("{:?}", self.raw),
        }
    }
}

impl<'a> Value<'a> {
    fn scalar(&self, wanted: &str) -> Option<&'a Scalar> {
        match &self.node.kind {
            Kind::Scalar(scalar) => Some(scalar),
            other => {
                self.problem(format!("must be {wanted}, not {}", what(other)));
                None
            }
        }
    }

    fn expanded(&self, scalar: &'a Scalar) -> Option<Text<'a>> {
        match expand(&scalar.text, self.reader.env) {
            Ok(value) if value.chars().any(char::is_control) => {
                self.problem("must not hold control characters such as line ends or NUL");
                None
            }
            Ok(value) => Some(Text { value, raw: &scalar.text, hidden: self.is_among_secrets() }),
            Err(message) => {
                self.problem(message);
                None
            }
        }
    }

    /// A string.
    pub(super) fn text(&self) -> Option<Text<'a>> {
        let scalar = self.scalar("a string")?;
        if scalar.is_null() {
            self.problem("must not be empty");
            return None;
        }
        match literal(scalar) {
            Some(kind) => {
                self.problem(format!("must be a string, not {kind}: put it in quotes"));
                None
            }
            None => self.expanded(scalar),
        }
    }

    /// The text as in the file, not expanded; it may have several lines.
    pub(super) fn verbatim(&self) -> Option<&'a str> {
        self.scalar("a string").map(|scalar| scalar.text.as_str())
    }

    /// A string of at least one character.
    pub(super) fn filled(&self) -> Option<Text<'a>> {
        let text = self.text()?;
        if text.value.is_empty() {
            self.problem("must not be empty");
            return None;
        }
        Some(text)
    }

    /// A whole number. A quoted one is accepted only if it comes from a variable.
    pub(super) fn integer(&self, range: &RangeInclusive<u64>) -> Option<u64> {
        let wanted = || format!("must be a whole number from {} to {}", range.start(), range.end());
        let scalar = self.scalar("a whole number")?;
        let text = self.expanded(scalar)?;
        if !scalar.plain && text.value == text.raw {
            self.problem(format!("{}, without quotes", wanted()));
            return None;
        }
        let number = text.value.parse::<u64>().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.problem(wanted());
        }
        number
    }

    fn boolean(&self) -> Option<bool> {
        let scalar = self.scalar("true or false")?;
        let text = self.expanded(scalar)?;
        let literal = scalar.plain || text.value != text.raw;
        match text.value.as_str() {
            "true" | "True" | "TRUE" if literal => Some(true),
            "false" | "False" | "FALSE" if literal => Some(false),
            _ => {
                self.problem("must be true or false, without quotes");
                None
            }
        }
    }

    /// A text with a unit; a bare number is a problem that says what to write.
    fn with_unit(&self, wanted: &str, write: impl Fn(u64) -> String) -> Option<Text<'a>> {
        let text = self.expanded(self.scalar(wanted)?)?;
        let Ok(number) = text.value.parse::<u64>() else { return Some(text) };
        let example = if text.value == text.raw { number } else { 30 };
        self.problem(format!("has no unit: write {}", write(example)));
        None
    }

    fn duration(&self, range: &RangeInclusive<Duration>) -> Option<Duration> {
        let text = self.with_unit("a duration", |number| format!("{number}s"))?;
        let Ok(duration) = humantime::parse_duration(&text.value) else {
            self.problem(format!("{} is not a duration: write 30s, 2m or 336h", text.shown()));
            return None;
        };
        if !range.contains(&duration) {
            let from = format_duration(*range.start());
            let to = format_duration(*range.end());
            self.problem(format!("{} is out of range: from {from} to {to}", text.shown()));
            return None;
        }
        Some(duration)
    }

    fn size(&self, range: &RangeInclusive<u64>) -> Option<u64> {
        let text = self.with_unit("a size", format_size)?;
        let Some(bytes) = parse_size(&text.value) else {
            self.problem(format!("{} is not a size: write 16MiB or 512KiB", text.shown()));
            return None;
        };
        if !range.contains(&bytes) {
            let from = format_size(*range.start());
            let to = format_size(*range.end());
            self.problem(format!("{} is out of range: from {from} to {to}", text.shown()));
            return None;
        }
        Some(bytes)
    }

    fn choice<T: Clone>(&self, choices: &[Choice<T>]) -> Option<T> {
        let text = self.text()?;
        let words = || choices.iter().map(|(word, _)| *word);
        let found = choices.iter().find(|(word, _)| *word == text.value);
        if found.is_none() {
            let hint = hint(&text.value, words());
            let advice = if hint.is_empty() { format!(": use {}", either(words())) } else { hint };
            self.problem(format!("{} is not a valid value{advice}", text.shown()));
        }
        found.map(|(_, meaning)| meaning.clone())
    }
}

/// Typed values by key; `None` if the key is absent, or invalid and reported.
impl Section<'_> {
    pub(super) fn integer(&self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        self.get(key)?.integer(&range)
    }

    /// Like [`Self::integer`], for counts in memory.
    pub(super) fn count(&self, key: &str, range: RangeInclusive<u64>) -> Option<usize> {
        self.integer(key, range).and_then(|number| usize::try_from(number).ok())
    }

    /// Like [`Self::integer`], for small numbers.
    pub(super) fn small(&self, key: &str, range: RangeInclusive<u64>) -> Option<u32> {
        self.integer(key, range).and_then(|number| u32::try_from(number).ok())
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        self.get(key)?.boolean()
    }

    pub(super) fn duration(&self, key: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.get(key)?.duration(&range)
    }

    pub(super) fn size(&self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        self.get(key)?.size(&range)
    }

    pub(super) fn choice<T: Clone>(&self, key: &str, choices: &[Choice<T>]) -> Option<T> {
        self.get(key)?.choice(choices)
    }
}

/// What YAML reads an unquoted word as, if not as a string.
fn literal(scalar: &Scalar) -> Option<&'static str> {
    if !scalar.plain {
        return None;
    }
    let text = scalar.text.as_str();
    let digits = text.trim_start_matches(['-', '+', '.']);
    match text {
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Some("a boolean"),
        _ if digits.starts_with(|c: char| c.is_ascii_digit()) && is_number(text) => {
            Some("a number")
        }
        _ => None,
    }
}

/// Numbers of YAML's core schema.
fn is_number(text: &str) -> bool {
    let based = |prefix: &str, base: u32| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(base)))
    };
    based("0x", 16) || based("0o", 8) || text.parse::<f64>().is_ok()
}
