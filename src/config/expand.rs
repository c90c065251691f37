//! Replaces `${NAME}` in a string by that environment variable, without trailing white space: a
//! value read from a file or a command often ends in a line break.

/// `text` with its variables replaced and `$$` read as a dollar. Errors never show the text, which
/// may be a secret.
pub(super) fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            after
        } else {
            let (name, after) = variable(after)?;
            let value =
                env(name).ok_or_else(|| format!("environment variable {name} is not set"))?;
            out.push_str(value.trim_end());
            after
        };
    }
    out.push_str(rest);
    Ok(out)
}

/// `{NAME}rest` -> `(NAME, rest)`.
fn variable(text: &str) -> Result<(&str, &str), String> {
    let lone = || "a dollar must be doubled ($$), unless it starts ${NAME}".to_owned();
    let (name, rest) =
        text.strip_prefix('{').and_then(|text| text.split_once('}')).ok_or_else(lone)?;
    let is_name = !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_name {
        Ok((name, rest))
    } else {
        Err("between ${ and } must stand the name of an environment variable: letters, digits and _".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::expand;

    fn run(text: &str) -> Result<String, String> {
        expand(text, &|name| match name {
            "HOME" => Some("/root/${x}$".to_owned()),
            "LINE" => Some(" a b \r\n".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn variables_are_replaced_once() {
        assert_eq!(run("a ${HOME}b$$${HOME}").unwrap(), "a /root/${x}$b$/root/${x}$");
        assert_eq!(run("$${HOME}").unwrap(), "${HOME}");
        assert_eq!(run("").unwrap(), "");
        assert_eq!(
            run("${LINE}.${LINE}").unwrap(),
            " a b. a b",
            "without the line end of the variable"
        );
    }

    #[test]
    fn what_cannot_be_replaced_is_explained_without_the_text() {
        assert_eq!(run("${NOPE}").unwrap_err(), "environment variable NOPE is not set");
        for text in ["hunter2$", "$hunter2", "${hunter2", "${hunter2:-x}", "${}", "${2}"] {
            let message = run(text).unwrap_err();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
