//! Errors in XML: just enough parsing to find three elements, and not to mistake a gateway's HTML
//! for an error.

use super::fields::{Best, Depth, ErrorBody, Field, Level};

/// Maximum depth that is searched.
const DEEPEST: usize = 32;

/// A document that begins with one of these is HTML.
const HTML: [&str; 18] = [
    "html", "head", "body", "title", "meta", "script", "style", "center", "div", "p", "h1", "h2",
    "h3", "form", "pre", "br", "hr", "iframe",
];

/// The error in `text`, even if that is cut off later.
pub(super) fn error_body(text: &str, depth: Depth) -> Option<ErrorBody> {
    let mut scan = Scan { open: vec![Open::default()], best: Best::default(), depth };
    let mut rest = text;
    while let Some(place) = rest.find('<') {
        scan.text(&unescaped(&rest[..place]));
        match scan.markup(&rest[place..]) {
            Some(next) => rest = next,
            None => break,
        }
    }
    while scan.open.len() > 1 {
        let broken_off = scan.open.pop().unwrap_or_default();
        scan.offer(broken_off.level);
    }
    scan.best.told()
}

/// An open element.
#[derive(Default)]
struct Open {
    field: Option<Field>,
    text: String,
    level: Level,
}

struct Scan {
    /// The document, then the open elements from the outside in.
    open: Vec<Open>,
    best: Best,
    depth: Depth,
}

impl Scan {
    fn text(&mut self, text: &str) {
        if let Some(open) = self.open.last_mut().filter(|open| open.field.is_some()) {
            open.text.push_str(text);
        }
    }

    /// Reads one piece of markup and returns what follows it; `None` if this is not XML, or is
    /// HTML.
    fn markup<'a>(&mut self, markup: &'a str) -> Option<&'a str> {
        if let Some(data) = markup.strip_prefix("<![CDATA[") {
            let (text, rest) = data.split_once("]]>").unwrap_or((data, ""));
            self.text(text);
            return Some(rest);
        }
        for (begin, end) in [("<!--", "-->"), ("<?", "?>")] {
            if let Some(comment) = markup.strip_prefix(begin) {
                return Some(comment.split_once(end).map_or("", |(_, rest)| rest));
            }
        }
        if let Some(doctype) = markup.strip_prefix("<!") {
            return rest_of_doctype(doctype);
        }
        let (tag, rest) = tag(markup.strip_prefix('<')?);
        match tag.strip_prefix('/') {
            Some(_) => self.end(),
            None => self.begin(tag)?,
        }
        Some(rest)
    }

    fn begin(&mut self, tag: &str) -> Option<()> {
        let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default();
        let is_first = self.open.len() == 1;
        if name.is_empty() || (is_first && HTML.iter().any(|html| name.eq_ignore_ascii_case(html)))
        {
            return None;
        }
        if self.open.len() > DEEPEST {
            return None;
        }
        self.open.push(Open { field: Field::of(name), ..Open::default() });
        if tag.ends_with('/') {
            self.end();
        }
        Some(())
    }

    fn end(&mut self) {
        if self.open.len() < 2 {
            return;
        }
        let Some(Open { field, text, level }) = self.open.pop() else { return };
        self.offer(level);
        if let (Some(field), Some(parent)) = (field, self.open.last_mut()) {
            parent.level.set(field, Some(text.trim().to_owned()));
        }
    }

    /// Offers the fields of an element that has just been removed from `open`.
    fn offer(&mut self, level: Level) {
        // The root element corresponds to an object in JSON.
        let depth = self.open.len() - 1;
        if self.depth == Depth::Any || depth == 0 {
            self.best.offer(level, depth);
        }
    }
}

/// What follows a document type, unless it is HTML's.
fn rest_of_doctype(doctype: &str) -> Option<&str> {
    let name = doctype.split_whitespace().nth(1).unwrap_or_default();
    if name.trim_end_matches('>').eq_ignore_ascii_case("html") {
        return None;
    }
    let end = doctype.find('>')?;
    match doctype[..end].contains('[') {
        true => doctype.split_once("]>").map(|(_, rest)| rest),
        false => Some(&doctype[end + 1..]),
    }
}

/// A tag up to its closing `>`, ignoring any inside an attribute, and what follows it.
fn tag(text: &str) -> (&str, &str) {
    let mut quote = None;
    for (place, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None, b'>') => return (&text[..place], &text[place + 1..]),
            _ => {}
        }
    }
    (text, "")
}

/// Text with its entities resolved; unknown ones stay as they are.
fn unescaped(text: &str) -> String {
    let mut pieces = text.split('&');
    let mut whole = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once(';').and_then(|(name, rest)| Some((entity(name)?, rest))) {
            Some((character, rest)) => {
                whole.push(character);
                whole.push_str(rest);
            }
            None => {
                whole.push('&');
                whole.push_str(piece);
            }
        }
    }
    whole
}

fn entity(name: &str) -> Option<char> {
    let number = name.strip_prefix('#');
    match (name, number.map(|number| number.strip_prefix(['x', 'X']).ok_or(number))) {
        (_, Some(Ok(hex))) => char::from_u32(u32::from_str_radix(hex, 16).ok()?),
        (_, Some(Err(decimal))) => char::from_u32(decimal.parse().ok()?),
        ("lt", _) => Some('<'),
        ("gt", _) => Some('>'),
        ("amp", _) => Some('&'),
        ("quot", _) => Some('"'),
        ("apos", _) => Some('\''),
        _ => None,
    }
}
