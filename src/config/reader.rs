//! Walks the tree: sections with known keys, lists, and a record of every problem on the way.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use super::problem::{Problem, nearest};
use super::punctuation;
use super::yaml::{Entry, Kind, Node};

/// Shared by all values of one file.
pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    pub(super) problems: RefCell<Vec<Problem>>,
    /// How many words may still be compared for suggestions.
    comparisons: Cell<usize>,
}

/// Maximum number of comparisons for suggestions. A file that needs more already has twenty
/// problems with a suggestion.
const MAX_COMPARISONS: usize = 100_000;

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { file, env, problems: RefCell::default(), comparisons: Cell::new(MAX_COMPARISONS) }
    }

    /// The one of `words` that `word` was probably meant to be.
    pub(super) fn nearest<'w>(
        &self,
        word: &str,
        words: impl ExactSizeIterator<Item = &'w str>,
    ) -> Option<&'w str> {
        let left = self.comparisons.get().checked_sub(words.len())?;
        self.comparisons.set(left);
        nearest(word, words)
    }

    pub(super) fn problem(&self, line: Option<usize>, path: &str, message: impl Into<String>) {
        let problem = Problem {
            file: self.file.to_owned(),
            line,
            path: path.to_owned(),
            message: message.into(),
        };
        self.problems.borrow_mut().push(problem);
    }
}

/// A value, and where it is.
#[derive(Clone)]
pub(super) struct Value<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) path: String,
    pub(super) node: &'a Node,
    line: usize,
}

impl<'a> Value<'a> {
    /// A value without a key.
    pub(super) fn new(reader: &'a Reader<'a>, path: String, node: &'a Node) -> Self {
        Self { reader, path, node, line: node.line }
    }

    /// The value of a key under `path`. The line of a list or mapping is that of its key.
    fn of(reader: &'a Reader<'a>, path: &str, entry: &'a Entry) -> Self {
        let line =
            if matches!(entry.value.kind, Kind::Scalar(_)) { entry.value.line } else { entry.line };
        Self { reader, path: join(path, &shown_key(path, entry)), node: &entry.value, line }
    }

    pub(super) fn problem(&self, message: impl Into<String>) {
        let hint = match &self.node.kind {
            Kind::Scalar(scalar) => punctuation::hint(&scalar.text),
            Kind::List(_) | Kind::Map(_) => String::new(),
        };
        self.reader.problem(Some(self.line), &self.path, message.into() + &hint);
    }

    /// Whether its section contains secrets.
    pub(super) fn is_among_secrets(&self) -> bool {
        self.path.rsplit_once('.').is_some_and(|(section, _)| holds_secrets(section))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.kind, Kind::List(_))
    }

    /// The values of a list.
    pub(super) fn items(&self) -> Vec<Value<'a>> {
        let Kind::List(items) = &self.node.kind else {
            self.problem(format!("must be a list, not {}", what(&self.node.kind)));
            return Vec::new();
        };
        let item = |(i, node)| Value::new(self.reader, format!("{}[{i}]", self.path), node);
        items.iter().enumerate().map(item).collect()
    }

    /// The entries of the mapping, with any keys; of a duplicate key, the first.
    pub(super) fn entries(&self) -> Vec<&'a Entry> {
        let Kind::Map(all) = &self.node.kind else {
            self.problem(format!("must be a mapping (key: value), not {}", what(&self.node.kind)));
            return Vec::new();
        };
        let mut lines: HashMap<&str, usize> = HashMap::new();
        let mut entries: Vec<&Entry> = Vec::new();
        for entry in all {
            match lines.get(&*entry.key) {
                Some(first) => {
                    let message = format!("the same key stands on line {first} already");
                    self.reader.problem(
                        Some(entry.line),
                        &join(&self.path, &shown_key(&self.path, entry)),
                        message,
                    );
                }
                None => {
                    lines.insert(&entry.key, entry.line);
                    entries.push(entry);
                }
            }
        }
        entries
    }

    /// The values of a mapping with keys chosen by the user, except those that are null.
    pub(super) fn children(&self) -> Vec<(&'a str, Value<'a>)> {
        let child =
            |entry: &'a Entry| (entry.key.as_str(), Value::of(self.reader, &self.path, entry));
        self.entries().into_iter().filter(|entry| !entry.value.is_null()).map(child).collect()
    }

    /// The mapping, in which only `keys` are allowed.
    pub(super) fn section(&self, keys: &[&'static str]) -> Section<'a> {
        let (known, unknown): (Vec<_>, Vec<_>) =
            self.entries().into_iter().partition(|entry| keys.contains(&entry.key.as_str()));
        let mut meant = Vec::new();
        for entry in &unknown {
            let near = self.reader.nearest(&entry.key, keys.iter().copied());
            let hint = near.map_or_else(
                || punctuation::hint(&entry.key),
                |near| format!(", did you mean \"{near}\"?"),
            );
            let shown = match near {
                None if holds_secrets(&self.path) => "…".to_owned(),
                _ => shown_key(&self.path, entry),
            };
            self.reader.problem(
                Some(entry.line),
                &join(&self.path, &shown),
                format!("unknown key{hint}"),
            );
            meant.extend(near);
        }
        let line = matches!(self.node.kind, Kind::Map(_)).then_some(self.line);
        Section { reader: self.reader, path: self.path.clone(), line, entries: known, meant }
    }
}

/// A mapping of known keys; empty if it is not in the file. A key whose value is null is absent.
#[derive(Clone)]
pub(super) struct Section<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) path: String,
    /// `None` if there is no mapping.
    line: Option<usize>,
    entries: Vec<&'a Entry>,
    /// What unknown keys were probably meant to be.
    meant: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// Stands for a mapping that is not in the file.
    pub(super) fn absent(reader: &'a Reader<'a>, path: &str) -> Self {
        Self { reader, path: path.to_owned(), line: None, entries: Vec::new(), meant: Vec::new() }
    }

    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == key && !entry.value.is_null())?;
        Some(Value::of(self.reader, &self.path, entry))
    }

    /// The mapping under `key`.
    pub(super) fn section(&self, key: &str, keys: &[&'static str]) -> Section<'a> {
        match self.get(key) {
            Some(value) => value.section(keys),
            None => Section::absent(self.reader, &join(&self.path, key)),
        }
    }

    /// The list under `key`, empty if there is none.
    pub(super) fn items(&self, key: &str) -> Vec<Value<'a>> {
        self.get(key).map_or_else(Vec::new, |value| value.items())
    }

    /// Reports a required key that is absent, unless it was only misspelt or there is no mapping at
    /// all.
    pub(super) fn missing(&self, key: &str, advice: &str) {
        if self.line.is_some() && !self.meant.contains(&key) {
            self.reader.problem(self.line, &join(&self.path, key), format!("is missing{advice}"));
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// What to call a value that should have been something else.
pub(super) fn what(kind: &Kind) -> &'static str {
    match kind {
        Kind::Scalar(_) => "a single value",
        Kind::List(_) => "a list",
        Kind::Map(_) => "a mapping",
    }
}

/// The key as problems may show it: short, and without what follows a missing space, as in
/// `access_key_secret:hunter2`.
fn shown_key(path: &str, entry: &Entry) -> String {
    if entry.key.is_empty() {
        return "\"\"".to_owned();
    }
    let odd = |c: char| {
        if holds_secrets(path) { !c.is_ascii_alphabetic() && c != '_' } else { c.is_control() }
    };
    let word: String = entry.key.chars().take_while(|c| !odd(*c)).take(64).collect();
    if word.len() < entry.key.len() { word + "…" } else { word }
}

fn holds_secrets(path: &str) -> bool {
    let section = path.rsplit('.').next();
    matches!(section, Some("credentials" | "assume_role" | "proxy" | "basic_auth_users" | "lease"))
}
