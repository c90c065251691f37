//! A Markdown document as a sequence of parts that a translation must keep.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// What a part of a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Heading(usize),
    Paragraph,
    Item,
    Row,
    /// A code block, and the language that it names.
    Block,
}

/// A heading, a paragraph, an item of a list, a row of a table, or a code block.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) kind: Kind,
    /// Number of the line with which it begins.
    pub(super) line: usize,
    /// Its lines, without what marks its kind; a block's begin with the language.
    pub(super) lines: Vec<String>,
}

/// The parts of a document, in order.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    // Whether the next line continues the last part.
    let mut continues = false;
    let mut in_block = false;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        let fence = trimmed.strip_prefix("```");
        if in_block && fence.is_some() {
            in_block = false;
            continues = false;
            continue;
        }
        if !in_block && trimmed.is_empty() {
            continues = false;
            continue;
        }
        let (kind, content) = match fence {
            _ if in_block => (Kind::Block, line),
            Some(language) => (Kind::Block, language),
            None => kind(trimmed),
        };
        let starts = !in_block && kind != Kind::Paragraph;
        if starts || !continues {
            parts.push(Part { kind, line: index + 1, lines: Vec::new() });
        }
        if let Some(part) = parts.last_mut() {
            part.lines.push(content.to_owned());
        }
        in_block = in_block || fence.is_some();
        continues = in_block || matches!(kind, Kind::Paragraph | Kind::Item);
    }
    parts.retain(|part| !part.is_ruler());
    parts
}

/// The kind of a line outside code blocks, and its text.
fn kind(line: &str) -> (Kind, &str) {
    let level = line.len() - line.trim_start_matches('#').len();
    if level > 0
        && let Some(title) = line[level..].strip_prefix(' ')
    {
        return (Kind::Heading(level), title);
    }
    if line.starts_with('|') {
        return (Kind::Row, line);
    }
    let after_number = line.trim_start_matches(|character: char| character.is_ascii_digit());
    let numbered = after_number.strip_prefix(". ").filter(|_| after_number != line);
    match line.strip_prefix("- ").or(numbered) {
        Some(item) => (Kind::Item, item),
        None => (Kind::Paragraph, line),
    }
}

impl Part {
    /// Its text as one line.
    pub(super) fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// Whether it is the line below a table's heading.
    fn is_ruler(&self) -> bool {
        self.kind == Kind::Row
            && self
                .lines
                .iter()
                .all(|line| line.chars().all(|character| "|-: ".contains(character)))
    }

    /// Its code spans, the name of the language in file names left out.
    pub(super) fn code(&self) -> BTreeSet<String> {
        let text = self.text();
        text.split('`').skip(1).step_by(2).map(without_language).collect()
    }

    /// The names in it: of metrics, keys and variables, of alerts, of the cloud's operations.
    pub(super) fn names(&self) -> BTreeSet<String> {
        names(&self.text())
    }

    /// What it emphasises, such as the titles of panels.
    pub(super) fn emphasised(&self) -> BTreeSet<String> {
        let text = self.visible();
        text.split('*').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// The numbers in it that are written in digits, without separators of thousands.
    pub(super) fn numbers(&self) -> BTreeSet<String> {
        numbers(&self.unlinked())
    }

    /// Where its links lead, as written.
    pub(super) fn links(&self) -> Vec<String> {
        let text = self.text();
        let after = text.split("](").skip(1);
        after.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
    }

    /// Its cells, if it is a row.
    pub(super) fn cells(&self) -> Vec<String> {
        let text = self.text();
        let inside = text.trim_matches('|');
        inside.split('|').map(|cell| cell.trim().to_owned()).collect()
    }

    /// Its code without comments, empty lines and trailing blanks, if it is a block.
    pub(super) fn commands(&self) -> Vec<String> {
        let commented = ["yaml", "sh", "ini"].contains(&self.lines[0].as_str());
        let strip = if commented { without_comment } else { str::trim_end };
        self.lines
            .iter()
            .map(|line| strip(line).to_owned())
            .filter(|line| !line.is_empty())
            .collect()
    }

    /// Its text with the words of links, but not where they lead.
    fn unlinked(&self) -> String {
        let text = self.text();
        let mut pieces = text.split("](");
        let first = pieces.next().unwrap_or_default().to_owned();
        let rest = pieces.map(|piece| piece.split_once(')').map_or(piece, |(_, rest)| rest));
        first + &rest.collect::<String>()
    }

    /// Its text as a reader sees it, with one letter for each code span.
    pub(super) fn visible(&self) -> String {
        let text = self.unlinked().replace("**", "").replace("![", "").replace('[', "");
        let pieces = text.split('`').enumerate();
        pieces.map(|(index, piece)| if index % 2 == 0 { piece } else { "x" }).collect()
    }
}

/// File names are the same but for the language in them.
pub(super) fn without_language(text: &str) -> String {
    text.replace(".zh-CN", "").replace("zh-CN/", "")
}

/// The words of a text that stay as they are in every language.
pub(super) fn names(text: &str) -> BTreeSet<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let is_name = |word: &&str| {
        let capital = |rest: &str| rest.starts_with(|letter: char| letter.is_ascii_uppercase());
        let begins = |start: &str| word.strip_prefix(start).is_some_and(capital);
        word.trim_matches('_').contains('_')
            || ["Aliyun", "Describe", "List"].iter().any(|start| begins(start))
    };
    text.split(|character| !is_part(character)).filter(is_name).map(str::to_owned).collect()
}

/// The numbers of a text, without separators of thousands.
pub(super) fn numbers(text: &str) -> BTreeSet<String> {
    let is_part = |character: char| character.is_ascii_digit() || ".,".contains(character);
    let runs = text.split(|character| !is_part(character));
    let plain = runs.map(|run| run.trim_matches(['.', ',']).replace(',', ""));
    plain.filter(|number| !number.is_empty()).collect()
}

/// A line of YAML, shell or INI without its comment.
pub(super) fn without_comment(line: &str) -> &str {
    let starts_comment = |(index, _): &(usize, &str)| {
        *index == 0 || line[..*index].ends_with(|character: char| character.is_whitespace())
    };
    let end = line.match_indices('#').find(starts_comment).map_or(line.len(), |(index, _)| index);
    line[..end].trim_end()
}

/// The lines of a text in YAML without comments, each with the comments at its end and below it;
/// the first line is empty and has the comments above all others.
pub(super) fn commented_lines(text: &str) -> Vec<(String, String)> {
    let mut lines = vec![(String::new(), String::new())];
    for line in text.lines() {
        let code = without_comment(line);
        if !code.is_empty() {
            lines.push((code.to_owned(), String::new()));
        }
        if let Some((_, comments)) = lines.last_mut() {
            comments.push_str(&line[code.len()..]);
            comments.push('\n');
        }
    }
    lines
}

/// Whether a character belongs to Chinese text.
pub(super) fn is_han(character: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&character)
}

/// The anchors of a document, as GitHub makes them of its headings, and those that it sets itself.
pub(super) fn anchors(parts: &[Part]) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for part in parts.iter().filter(|part| part.kind != Kind::Block) {
        let text = part.text();
        let set = text.split("<a id=\"").skip(1).filter_map(|rest| rest.split_once('"'));
        anchors.extend(set.map(|(anchor, _)| anchor.to_owned()));
        if matches!(part.kind, Kind::Heading(_)) {
            anchors.insert(slug(&part.unlinked()));
        }
    }
    anchors
}

fn slug(title: &str) -> String {
    let kept = |character: &char| character.is_alphanumeric() || "_- ".contains(*character);
    title.chars().filter(kept).collect::<String>().to_lowercase().replace(' ', "-")
}

/// The path of a link's file in the package.
pub(super) fn resolve(document: &str, file: &str) -> String {
    let folder = Path::new(document).parent().unwrap_or(Path::new(""));
    let mut path = PathBuf::new();
    for component in folder.join(file).components() {
        match component {
            Component::ParentDir => assert!(path.pop(), "{document}: {file} leaves the package"),
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path.display().to_string()
}
