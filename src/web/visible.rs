//! Escapes characters that would change how the text around them looks.

use std::borrow::Cow;

/// `text` with its control characters, and marks that reverse the direction of text, written like
/// `\u202e`. In JSON that is the same character; on a page the reader sees the escape.
///
/// A line end stays: it separates the page's own lines, and JSON strings contain none.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if is_invisible(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_invisible(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn marks_that_turn_text_round_are_seen() {
        assert_eq!(
            visible("a\u{202e}b\u{2067}\u{7f}\u{85}\r\n"),
            "a\\u202eb\\u2067\\u007f\\u0085\\u000d\n"
        );
        assert_eq!(visible("1\u{202f}000 生产 ✓\n"), "1\u{202f}000 生产 ✓\n");
    }

    #[test]
    fn in_json_it_is_the_same_character() {
        let text = "a\u{202e}b\u{9f}c";
        let json = serde_json::to_string(text).unwrap();
        assert!(json.contains('\u{202e}'));
        assert_eq!(serde_json::from_str::<String>(&visible(&json)).unwrap(), text);
    }
}
