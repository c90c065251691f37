//! What differs between a document in English and the same in Chinese.

use std::collections::BTreeSet;

use super::document::{Kind, Part, is_han, parts, resolve, without_language};
use crate::support::read;

/// Each document in English, and the same in Chinese.
pub(super) const PAIRS: [(&str, &str); 9] = [
    ("README.md", "README.zh-CN.md"),
    ("dashboards/README.md", "dashboards/README.zh-CN.md"),
    ("docs/alerts.md", "docs/zh-CN/alerts.md"),
    ("docs/configuration.md", "docs/zh-CN/configuration.md"),
    ("docs/install.md", "docs/zh-CN/install.md"),
    ("docs/kubernetes.md", "docs/zh-CN/kubernetes.md"),
    ("docs/metrics.md", "docs/zh-CN/metrics.md"),
    ("docs/operations.md", "docs/zh-CN/operations.md"),
    ("docs/security.md", "docs/zh-CN/security.md"),
];

/// The example of a configuration, in both languages.
pub(super) const EXAMPLES: (&str, &str) = ("config.example.yaml", "config.example.zh-CN.yaml");

/// What follows a link to a document that is not in Chinese.
const IN_ENGLISH: &str = "（英文）";

/// A document and its path.
pub(super) struct Text {
    path: String,
    pub(super) parts: Vec<Part>,
}

impl Text {
    pub(super) fn read(path: &str) -> Self {
        Self::new(path, &read(path))
    }

    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), parts: parts(text) }
    }
}

/// What differs, each with its line.
pub(super) fn compare(english: Text, chinese: Text) -> Vec<String> {
    let kinds = |text: &Text| text.parts.iter().map(|part| part.kind).collect::<Vec<_>>();
    let wanted = kinds(&english);
    let found = kinds(&chinese);
    let same = wanted.iter().zip(&found).take_while(|(wanted, found)| wanted == found).count();
    if same < wanted.len() || same < found.len() {
        return vec![other_part(english.parts.get(same), chinese.parts.get(same))];
    }
    let mut differences = Vec::new();
    for (wanted, found) in english.parts.iter().zip(&chinese.parts) {
        let mut inside = within(wanted, found);
        inside.extend(links((&english.path, wanted), (&chinese.path, found)));
        differences
            .extend(inside.into_iter().map(|difference| format!("{}: {difference}", found.line)));
    }
    differences
}

fn other_part(wanted: Option<&Part>, found: Option<&Part>) -> String {
    let told = |part: &Part| {
        let beginning: String = part.text().chars().take(60).collect();
        format!("{:?} {beginning:?} (line {})", part.kind, part.line)
    };
    let line = found.map_or(0, |part| part.line);
    let wanted = wanted.map_or_else(|| "the end".to_owned(), told);
    let found = found.map_or_else(|| "the end".to_owned(), told);
    format!("{line}: from here on the parts differ: {found} stands for {wanted}")
}

/// What differs between two parts of the same kind.
fn within(wanted: &Part, found: &Part) -> Vec<String> {
    if wanted.kind == Kind::Block {
        let wanted = wanted.commands();
        let found = found.commands();
        let different = wanted.iter().zip(&found).find(|(wanted, found)| wanted != found);
        return Vec::from_iter((wanted != found).then(|| {
            let line = different.map_or("its length".to_owned(), |(_, found)| format!("{found:?}"));
            format!("the code block differs in {line}")
        }));
    }
    let mut differences = sets("code", &wanted.code(), &found.code());
    differences.extend(sets("name", &wanted.names(), &found.names()));
    differences.extend(missing("number", &wanted.numbers(), &found.numbers()));
    let wanted_titles = wanted.emphasised();
    let mut titles = found.emphasised();
    titles.retain(|title| !title.contains(is_han));
    let other = titles.difference(&wanted_titles);
    differences.extend(other.map(|title| format!("title {title:?} only in Chinese")));
    if wanted.kind == Kind::Row {
        differences.extend(cells(wanted, found));
    }
    differences
}

/// Cells without a Chinese word are those of the English row.
fn cells(wanted: &Part, found: &Part) -> Vec<String> {
    let wanted = wanted.cells();
    let found = found.cells();
    let count = (wanted.len() != found.len())
        .then(|| format!("{} cells instead of {}", found.len(), wanted.len()));
    let untranslated = |cell: &str| !cell.contains(is_han) && !cell.contains("](");
    let different = wanted
        .iter()
        .zip(&found)
        .filter(|(wanted, found)| untranslated(found) && **wanted != half_width(found));
    let different = different.map(|(wanted, found)| format!("{found:?} instead of {wanted:?}"));
    different.chain(count).collect()
}

/// A text with the punctuation of English.
fn half_width(text: &str) -> String {
    let text = text.replace(['、', '，'], ", ").replace('；', "; ");
    text.replace('（', " (").replace('）', ")")
}

/// Both parts link to the same documents; the Chinese one to those in Chinese where they exist.
fn links(english: (&str, &Part), chinese: (&str, &Part)) -> Vec<String> {
    let targets = |(path, part): (&str, &Part)| -> BTreeSet<String> {
        let files = part.links().into_iter().map(|link| link.split('#').next().unwrap().to_owned());
        let resolved = files.map(|file| match file.contains("://") || file.is_empty() {
            true => file,
            false => resolve(path, &file),
        });
        resolved.filter(|target| !target.is_empty()).collect()
    };
    let is_pair =
        |target: &str| PAIRS.iter().any(|(one, other)| target == *one || target == *other);
    // Each document may lead to itself in the other language.
    let itself = without_language(english.0);
    let plain = |targets: &BTreeSet<String>| -> BTreeSet<String> {
        let plain = targets.iter().map(|target| without_language(target));
        plain.filter(|target| *target != itself).collect()
    };
    let wanted = targets(english);
    let found = targets(chinese);
    let mut differences = sets("link", &plain(&wanted), &plain(&found));
    for target in found.iter().filter(|target| **target != itself) {
        let in_chinese = target.contains("zh-CN");
        if !in_chinese && (is_pair(target) || target.as_str() == EXAMPLES.0) {
            differences.push(format!("{target} exists in Chinese"));
        }
        if !in_chinese && !is_pair(target) && target.ends_with(".md") && !marked(chinese.1) {
            differences.push(format!("{target} is not marked {IN_ENGLISH}"));
        }
    }
    differences
}

fn marked(part: &Part) -> bool {
    part.text().contains(IN_ENGLISH)
}

pub(super) fn sets(
    what: &str,
    english: &BTreeSet<String>,
    chinese: &BTreeSet<String>,
) -> Vec<String> {
    let added = chinese.difference(english).map(|one| format!("{what} {one:?} only in Chinese"));
    missing(what, english, chinese).into_iter().chain(added).collect()
}

pub(super) fn missing(
    what: &str,
    english: &BTreeSet<String>,
    chinese: &BTreeSet<String>,
) -> Vec<String> {
    let missing = english.difference(chinese);
    missing.map(|one| format!("{what} {one:?} is missing")).collect()
}
