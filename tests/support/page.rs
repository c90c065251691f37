//! A reader of `/metrics` in both formats, strict about what the exporter promises.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A sample: name, labels, and value as written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: String,
}

/// A page: samples in order, and the comments about families.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub samples: Vec<Sample>,
    pub types: BTreeMap<String, String>,
    pub helps: BTreeMap<String, String>,
    pub units: BTreeMap<String, String>,
    /// Whether it ended with `# EOF`.
    pub eof: bool,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?} {}", self.name, self.labels, self.value)
    }
}

/// Parses a page; no series may occur twice, and no family be described twice.
pub fn parse(text: &str) -> Page {
    let mut page = Page::default();
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        assert!(!page.eof, "after # EOF: {line}");
        if let Some(comment) = line.strip_prefix("# ") {
            page.describe(comment);
            continue;
        }
        let sample = sample(line);
        sample.value.parse::<f64>().unwrap_or_else(|_| panic!("{line}: no value"));
        assert!(seen.insert((sample.name.clone(), sample.labels.clone())), "twice: {line}");
        page.samples.push(sample);
    }
    assert!(text.is_empty() || text.ends_with('\n'));
    page
}

impl Page {
    fn describe(&mut self, comment: &str) {
        if comment == "EOF" {
            self.eof = true;
            return;
        }
        let mut words = comment.splitn(3, ' ');
        let what = words.next().unwrap();
        let name = words.next().unwrap();
        let rest = words.next().unwrap_or_default();
        let table = match what {
            "TYPE" => &mut self.types,
            "HELP" => &mut self.helps,
            "UNIT" => &mut self.units,
            other => panic!("# {other}"),
        };
        assert!(table.insert(name.to_owned(), rest.to_owned()).is_none(), "{what} of {name} twice");
    }

    /// The only value of a family with these labels, among others.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.all(name, labels);
        let value = found.next().map(|sample| sample.value.parse().unwrap());
        assert!(found.next().is_none(), "{name} {labels:?} is ambiguous");
        value
    }

    /// The samples of a family with these labels, among others.
    pub fn all<'a>(
        &'a self,
        name: &str,
        labels: &[(&str, &str)],
    ) -> impl Iterator<Item = &'a Sample> {
        let has = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).map(String::as_str) == Some(value))
        };
        self.samples.iter().filter(has).collect::<Vec<_>>().into_iter()
    }

    /// The sum of the samples of a family with these labels, among others.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.all(name, labels).map(|sample| sample.value.parse::<f64>().unwrap()).sum()
    }
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no sample: {line}"));
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) =
                rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            let (value, after) = quoted(after);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{label} twice: {line}");
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => {
                    rest = after
                        .strip_prefix('}')
                        .unwrap_or_else(|| panic!("no end of labels: {line}"));
                    break;
                }
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
    assert!(!value.contains(' '), "more than a value: {line}");
    Sample { name: name.to_owned(), labels, value: value.to_owned() }
}

/// A quoted text after its opening quote, and what follows it.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return (value, &text[place + 1..]),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, other)) => value.push(other),
                None => panic!("ends in a backslash: {text}"),
            },
            other => value.push(other),
        }
    }
    panic!("no closing quote: {text}")
}
