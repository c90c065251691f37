//! Full-width punctuation, as typed with Chinese input methods: YAML reads it as text.

/// What was typed, and what YAML needs instead.
const FULL_WIDTH: &[(char, &str)] = &[
    ('，', "a comma (,)"),
    ('、', "a comma (,)"),
    ('：', "a colon (:)"),
    ('“', "a quotation mark (\")"),
    ('”', "a quotation mark (\")"),
    ('＂', "a quotation mark (\")"),
    ('‘', "an apostrophe (')"),
    ('’', "an apostrophe (')"),
    ('＇', "an apostrophe (')"),
    ('［', "a bracket ([)"),
    ('］', "a bracket (])"),
    ('【', "a bracket ([)"),
    ('】', "a bracket (])"),
    ('｛', "a brace ({)"),
    ('｝', "a brace (})"),
    ('－', "a hyphen (-)"),
    ('＃', "a number sign (#)"),
    ('＊', "an asterisk (*)"),
    ('＄', "a dollar ($)"),
    ('\u{3000}', "a blank"),
    ('\u{a0}', "a blank"),
];

/// How many lines before the one that the parser reports may contain the cause: text continues
/// across line ends.
const LINES_BEFORE: usize = 2;

/// What to write instead of the first such character in `text`; empty if there is none.
pub(super) fn hint(text: &str) -> String {
    found(text.chars()).map_or_else(String::new, |found| format!(" ({found})"))
}

/// Like [`hint`], for the line, from 1, that cannot be parsed, or one shortly before it. In quotes
/// and comments such characters are intended.
pub(super) fn hint_at(text: &str, line: usize) -> String {
    let last = line.min(text.lines().count());
    let first = last.saturating_sub(LINES_BEFORE).max(1);
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, text)| (index + 1, text))
        .skip(first - 1)
        .take(last + 1 - first);
    let found = lines.filter_map(|(number, text)| Some((number, found(unquoted(text))?))).last();
    found.map_or_else(String::new, |(number, found)| format!(" (line {number}: {found})"))
}

fn found(mut text: impl Iterator<Item = char>) -> Option<String> {
    let (character, wanted) =
        text.find_map(|c| FULL_WIDTH.iter().find(|(known, _)| *known == c))?;
    let shown = match character {
        '\u{3000}' => "a full-width blank".to_owned(),
        '\u{a0}' => "a no-break space".to_owned(),
        other => format!("the full-width {other}"),
    };
    Some(format!("{shown} is not YAML's: write {wanted}"))
}

/// The characters of a line outside quotes and comments.
fn unquoted(line: &str) -> impl Iterator<Item = char> {
    let mut quote = None;
    let mut before = ' ';
    let mut is_comment = false;
    line.chars().filter(move |c| {
        let begins_word = before.is_whitespace() || "[{,:-".contains(before);
        before = *c;
        match (quote, *c) {
            (Some(open), c) => {
                quote = quote.filter(|_| c != open);
                return false;
            }
            (None, '"' | '\'') if begins_word => quote = Some(*c),
            (None, '#') if begins_word => is_comment = true,
            _ => {}
        }
        !is_comment
    })
}

#[cfg(test)]
mod tests {
    use super::{hint, hint_at};

    #[test]
    fn a_character_is_named_with_what_to_write() {
        assert_eq!(hint("poll：30s"), " (the full-width ： is not YAML's: write a colon (:))");
        assert_eq!(hint("\u{3000}a"), " (a full-width blank is not YAML's: write a blank)");
        assert_eq!(hint("poll: {a, b} 生产"), "");
    }

    #[test]
    fn the_line_of_the_error_or_one_shortly_before_is_looked_at() {
        let text = "a: 1\nb：2\nc: 3\nd: 4\ne: 5";
        let wanted = " (line 2: the full-width ： is not YAML's: write a colon (:))";
        assert_eq!(
            [1, 2, 3, 4, 5, 99].map(|line| hint_at(text, line)),
            ["", wanted, wanted, wanted, "", ""]
        );
        assert_eq!(hint_at("", 1), "");
    }

    #[test]
    fn what_stands_in_quotes_or_in_a_comment_is_no_mistake() {
        for line in ["name: \"生产，主\"", "a: 'b：c' # d，e", "# 说明：", "{a: \"，\", b: 1}"]
        {
            assert_eq!(hint_at(line, 1), "", "{line}");
        }
        for line in ["it's: 生产，主", "a: \"b\"，c: 1", "regions: [“cn-hangzhou”]"] {
            assert_ne!(hint_at(line, 1), "", "{line}");
        }
    }
}
