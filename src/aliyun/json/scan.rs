//! Finds where JSON values end. Only brackets and quotes are looked at.

use memchr::memchr2;

/// Whether it is JSON white space.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Where the white space at `at` ends.
pub(super) fn blank(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|byte| is_blank(*byte)) {
        at += 1;
    }
    at
}

/// The position after `byte`, which must be at `at`. Here and below, an error is where the text
/// stops being JSON.
pub(super) fn expect(bytes: &[u8], at: usize, byte: u8) -> Result<usize, usize> {
    if bytes.get(at) == Some(&byte) { Ok(at + 1) } else { Err(at) }
}

/// Where the value that begins at `start` ends, always after `start`. Not recursive, so any depth
/// is safe.
pub(super) fn value_end(bytes: &[u8], start: usize) -> Result<usize, usize> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        let byte = *bytes.get(at).ok_or(at)?;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1).ok_or(at)?,
            _ => {}
        }
        at = match byte {
            b'"' => string_end(bytes, at)?,
            b'{' | b'[' | b'}' | b']' => at + 1,
            _ if depth == 0 => word_end(bytes, at),
            _ => at + 1,
        };
        if depth == 0 {
            return Ok(at);
        }
    }
}

/// Where the word that begins at `at` ends.
fn word_end(bytes: &[u8], at: usize) -> usize {
    let ends = |byte: &u8| {
        matches!(byte, b',' | b':' | b'"' | b'{' | b'[' | b'}' | b']') || is_blank(*byte)
    };
    bytes[at + 1..].iter().position(ends).map_or(bytes.len(), |length| at + 1 + length)
}

/// The position after the closing quote of the string whose opening quote is at `at`.
pub(super) fn string_end(bytes: &[u8], at: usize) -> Result<usize, usize> {
    let mut at = expect(bytes, at, b'"')?;
    loop {
        at += memchr2(b'"', b'\\', &bytes[at..]).ok_or(bytes.len())?;
        if bytes[at] == b'"' {
            return Ok(at + 1);
        }
        at += if is_half_a_character(bytes, at) { 1 } else { 2 };
        if at > bytes.len() {
            return Err(bytes.len());
        }
    }
}

/// In GBK a backslash may be the second byte of a character. It is treated as one if the string
/// ends right after it and the byte before it is not part of valid UTF-8.
fn is_half_a_character(bytes: &[u8], backslash: usize) -> bool {
    let ends_text = bytes.get(backslash + 1) == Some(&b'"')
        && matches!(bytes.get(blank(bytes, backslash + 2)), Some(b',' | b':' | b'}' | b']'));
    let before = &bytes[backslash.saturating_sub(4)..backslash];
    let is_text =
        |length: usize| str::from_utf8(&before[before.len().saturating_sub(length)..]).is_ok();
    ends_text && before.last().is_some_and(|byte| *byte >= 0x80) && !(2..=4).any(is_text)
}
