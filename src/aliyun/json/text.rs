//! Strings and numbers of JSON, whatever they contain.

use std::borrow::Cow;
use std::str;

use memchr::memchr;

/// Whether `word` is a number within the range of f64.
pub(super) fn is_number(word: &str) -> bool {
    let fits = |byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    word.bytes().all(fits) && word.parse().is_ok_and(f64::is_finite)
}

/// A string with its escapes resolved; invalid ones stay as they are.
pub(super) fn unescaped(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr(b'\\', raw) else { return raw.into() };
    let mut bytes = Vec::with_capacity(raw.len());
    bytes.extend_from_slice(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some((_, escape)) = rest.split_first() {
        let behind = unescape(escape, &mut bytes);
        let next = memchr(b'\\', behind).unwrap_or(behind.len());
        bytes.extend_from_slice(&behind[..next]);
        rest = &behind[next..];
    }
    bytes.into()
}

/// Writes what an escape stands for, given the text after its backslash; returns what follows it.
fn unescape<'a>(escape: &'a [u8], bytes: &mut Vec<u8>) -> &'a [u8] {
    let (byte, length) = match escape {
        [byte @ (b'"' | b'\\' | b'/'), ..] => (*byte, 1),
        [b'b', ..] => (8, 1),
        [b'f', ..] => (12, 1),
        [b'n', ..] => (b'\n', 1),
        [b'r', ..] => (b'\r', 1),
        [b't', ..] => (b'\t', 1),
        [b'u', hex @ ..] if let Some((code, behind)) = code(hex) => {
            push(code, bytes);
            return behind;
        }
        _ => (b'\\', 0),
    };
    bytes.push(byte);
    &escape[length..]
}

/// The character of a `\u` escape, or of two that are a surrogate pair.
fn code(hex: &[u8]) -> Option<(u32, &[u8])> {
    let (first, behind) = unit(hex)?;
    let second = behind
        .strip_prefix(b"\\u")
        .and_then(unit)
        .filter(|(low, _)| (0xdc00..0xe000).contains(low));
    match second {
        Some((low, behind)) if (0xd800..0xdc00).contains(&first) => {
            Some((0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00), behind))
        }
        _ => Some((first, behind)),
    }
}

/// Four hexadecimal digits.
fn unit(hex: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, behind) = hex.split_at_checked(4)?;
    let digits = str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    Some((u32::from_str_radix(digits, 16).ok()?, behind))
}

/// A lone surrogate is encoded as if it were a character, which is not valid UTF-8.
fn push(code: u32, bytes: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(character) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => bytes.extend([
            0xe0 | (code >> 12) as u8,
            0x80 | (code >> 6 & 0x3f) as u8,
            0x80 | (code & 0x3f) as u8,
        ]),
    }
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn escapes_are_undone_and_what_is_none_stays() {
        let text = |raw: &[u8]| unescaped(raw).into_owned();
        assert_eq!(text(br#"a\"\\\/\b\f\n\r\tb"#), b"a\"\\/\x08\x0c\n\r\tb");
        assert_eq!(text(br"\u5907 \ud83d\ude00"), "备 😀".as_bytes());
        assert_eq!(text(br"\x \u12 \u+123 \"), br"\x \u12 \u+123 \");
    }

    #[test]
    fn half_a_surrogate_pair_is_three_bytes_that_no_text_has() {
        assert_eq!(*unescaped(br"a\ud83d"), *b"a\xed\xa0\xbd");
        assert_eq!(
            *unescaped(br"\ude00\ud83d\ud83d\ude00"),
            *b"\xed\xb8\x80\xed\xa0\xbd\xf0\x9f\x98\x80"
        );
        assert_eq!(*unescaped(br"\ud83d\n"), *b"\xed\xa0\xbd\n");
    }
}
