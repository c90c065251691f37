//! Names given by users, as labels.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Maximum length of a name as a label, in bytes.
const MAX_BYTES: usize = crate::model::COMMAND_NAME_BYTES;

/// `~` and eight hexadecimal digits.
const MARK_BYTES: usize = 9;

/// A name as a label. Invalid UTF-8, control characters and line separators become U+FFFD, and a
/// name that is too long is cut. A name that was changed ends in `~` and a hash of what the cloud
/// sent, so that different names stay different labels.
pub(super) fn label(raw: &[u8]) -> String {
    let text = repaired(raw.into());
    if text.as_bytes() == raw && raw.len() <= MAX_BYTES && !text.contains(is_hidden) {
        return text.into_owned();
    }
    let shown: String = text
        .chars()
        .take(MAX_BYTES)
        .map(|c| if is_hidden(c) { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    let hash = Sha256::digest(raw);
    let mark: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}~{mark}", cut(&shown, MAX_BYTES - MARK_BYTES))
}

/// Control characters, and Unicode's line and paragraph separators. Marks of direction stay.
fn is_hidden(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Cuts `text` to at most `bytes`, at a character boundary.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// Text with U+FFFD for invalid UTF-8, one for each lone surrogate.
pub(super) fn repaired(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => match str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => replaced(bytes).into(),
        },
        Cow::Owned(bytes) => {
            String::from_utf8(bytes).unwrap_or_else(|error| replaced(error.as_bytes())).into()
        }
    }
}

fn replaced(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Err(error) = str::from_utf8(rest) {
        let (good, bad) = rest.split_at(error.valid_up_to());
        text.push_str(str::from_utf8(good).unwrap_or_default());
        text.push(char::REPLACEMENT_CHARACTER);
        let is_surrogate = matches!(bad, [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..]);
        let length = if is_surrogate { 3 } else { error.error_len().unwrap_or(bad.len()) };
        rest = &bad[length..];
    }
    text + str::from_utf8(rest).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{cut, label, repaired};

    #[test]
    fn a_name_that_is_short_and_plain_stays_as_it_is() {
        let longest = "n".repeat(128);
        for name in
            ["", "backup", " two  spaces ", "备份", "😀", "\u{202e}tluaf", "a\u{fffd}", &longest]
        {
            assert_eq!(label(name.as_bytes()), name);
        }
    }

    #[test]
    fn a_name_that_was_cut_or_repaired_ends_in_a_hash_of_what_was_sent() {
        assert_eq!(label(b"a\xed\xa0\xbd"), "a\u{fffd}~8134517c");
        assert_eq!(label("a\u{7}b\u{2028}c\n".as_bytes()), "a\u{fffd}b\u{fffd}c\u{fffd}~6b6ffa6b");
        // GBK for 备份.
        assert!(label(b"\xb1\xb8\xb7\xdd").starts_with('\u{fffd}'));
        let long = label("备".repeat(100).as_bytes());
        assert!(long.len() <= 128 && long.starts_with(&"备".repeat(39)), "{long}");
        let one = "n".repeat(128) + "1";
        let other = "n".repeat(128) + "2";
        assert_ne!(label(one.as_bytes()), label(other.as_bytes()));
    }

    #[test]
    fn half_a_surrogate_pair_is_one_character_and_any_other_byte_its_own() {
        assert_eq!(
            repaired(b"\xed\xa0\xbd\xed\xa0\xbdx\x80\xff"[..].into()),
            "\u{fffd}\u{fffd}x\u{fffd}\u{fffd}"
        );
        assert_eq!(repaired(b"\xed\xa0"[..].into()), "\u{fffd}\u{fffd}");
        assert_eq!(cut("备份", 4), "备");
    }

    proptest! {
        #[test]
        fn names_fit_into_a_label_and_two_that_differ_stay_two(
            one in prop::collection::vec(any::<u8>(), 0..200),
            other in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let shown = label(&one);
            prop_assert!(shown.len() <= 128 && !shown.contains(super::is_hidden));
            prop_assert_eq!(one == other, shown == label(&other));
        }
    }
}
