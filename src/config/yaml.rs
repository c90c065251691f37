//! YAML text -> a tree with the line of each node. Nothing is interpreted yet: a scalar is its text
//! and whether it was quoted.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use zeroize::Zeroize;

/// Maximum depth of nesting; the schema needs six levels.
const MAX_DEPTH: usize = 32;
/// Maximum number of nodes that aliases may add.
const MAX_NODES: usize = 100_000;

/// A value and the line on which it starts.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

/// Kind of value.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A word, number or text.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Unquoted: it may be a number, a boolean or null.
    pub(super) plain: bool,
}

/// A key and its value. Duplicate keys are left for the reader to report.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Node,
}

/// The text may be a secret.
impl Drop for Scalar {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl Scalar {
    pub(super) fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

impl Node {
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.is_null())
    }

    fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar(_) => 0,
            Kind::List(items) => items.iter().map(Self::size).sum(),
            Kind::Map(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
        }
    }
}

/// Why a text could not be parsed.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) message: String,
}

type Result<T> = std::result::Result<T, Malformed>;

fn malformed<T>(line: usize, message: impl Into<String>) -> Result<T> {
    Err(Malformed { line, message: message.into() })
}

/// The tree of the only document in `text`; `None` if that is empty.
pub(super) fn load(text: &str) -> Result<Option<Node>> {
    refuse_control_characters(text)?;
    let mut loader =
        Loader { parser: Parser::new_from_str(text), anchors: HashMap::new(), aliased: 0 };
    let mut document = None;
    loop {
        match loader.next()? {
            (Event::StreamEnd, _) => return Ok(document),
            (Event::DocumentStart(_), span) if document.is_some() => {
                return malformed(
                    span.start.line(),
                    "a second YAML document starts here: write one file per configuration",
                );
            }
            (
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd,
                _,
            ) => {}
            (event, span) => document = Some(loader.node(event, span, 0)?),
        }
    }
}

/// The parser takes NUL for the end of the text, and no control character belongs in a
/// configuration.
fn refuse_control_characters(text: &str) -> Result<()> {
    let odd = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    match text.find(odd) {
        Some(at) => malformed(
            text[..at].matches('\n').count() + 1,
            "control characters (such as NUL) are not YAML",
        ),
        None => Ok(()),
    }
}

struct Loader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// The finished nodes that have an anchor.
    anchors: HashMap<usize, Node>,
    /// Number of nodes that aliases have added.
    aliased: usize,
}

impl<'a> Loader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span)> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(syntax(&error)),
            None => malformed(1, "not YAML: it ends too early"),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node> {
        let line = span.start.line();
        if depth > MAX_DEPTH {
            return malformed(line, "nested too deeply");
        }
        let (kind, anchor) = match event {
            Event::Alias(id) => return self.alias(id, line),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !has_tag(tag.as_deref(), "str", line)?;
                (Kind::Scalar(Scalar { text: text.into_owned(), plain }), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                has_tag(tag.as_deref(), "seq", line)?;
                (Kind::List(self.list(depth)?), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                has_tag(tag.as_deref(), "map", line)?;
                (Kind::Map(self.map(depth)?), anchor)
            }
            _ => return malformed(line, "not YAML: a value is missing"),
        };
        let node = Node { line, kind };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, line: usize) -> Result<Node> {
        let Some(node) = self.anchors.get(&id) else {
            return malformed(line, "an alias stands inside its own anchor");
        };
        self.aliased += node.size();
        if self.aliased > MAX_NODES {
            return malformed(line, "aliases make the file too large");
        }
        Ok(node.clone())
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                merge(&mut entries, merged);
                return Ok(entries);
            }
            let line = span.start.line();
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            match key.kind {
                Kind::Scalar(key) if key.plain && key.text == "<<" => merged.extend(bases(value)?),
                Kind::Scalar(mut key) => {
                    entries.push(Entry { key: std::mem::take(&mut key.text), line, value })
                }
                _ => {
                    return malformed(line, "a key must be a single word, not a list or a mapping");
                }
            }
        }
    }
}

/// The mappings that a merge key (`<<: *base`) names.
fn bases(value: Node) -> Result<Vec<Entry>> {
    let line = value.line;
    match value.kind {
        Kind::Map(entries) => Ok(entries),
        Kind::List(items) if items.iter().all(|item| matches!(item.kind, Kind::Map(_))) => {
            let mut all = Vec::new();
            for item in items {
                merge(&mut all, bases(item)?);
            }
            Ok(all)
        }
        _ => {
            malformed(line, "the value of the merge key << must be a mapping or a list of mappings")
        }
    }
}

/// Adds the entries of `base` whose keys are not present yet.
fn merge(entries: &mut Vec<Entry>, base: Vec<Entry>) {
    if base.is_empty() {
        return;
    }
    let mut known: HashSet<String> = entries.iter().map(|own| own.key.clone()).collect();
    for entry in base {
        if known.insert(entry.key.clone()) {
            entries.push(entry);
        }
    }
}

/// Whether the tag is YAML's own `name`. Tags that would change the type of a value are refused.
fn has_tag(tag: Option<&Tag>, name: &str, line: usize) -> Result<bool> {
    match tag {
        None => Ok(false),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == name => Ok(true),
        Some(_) => malformed(
            line,
            "YAML tags (words that start with an exclamation mark) are not supported",
        ),
    }
}

fn syntax(error: &ScanError) -> Malformed {
    Malformed { line: error.marker().line().max(1), message: format!("not YAML: {}", error.info()) }
}
