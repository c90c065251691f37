//! What is wrong with a configuration, and where.

use std::fmt;

/// One problem. Never contains a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Name of the file, as the user gave it; empty if the problem is not in a file.
    pub file: String,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// Its path in the configuration, such as `ehpc.clusters[1].region`; empty for the whole of it.
    pub path: String,
    /// What is wrong and, if known, what to write instead.
    pub message: String,
}

impl Problem {
    /// A problem of a file as a whole.
    pub fn of_file(file: &str, message: String) -> Self {
        Self { file: file.to_owned(), line: None, path: String::new(), message }
    }

    /// A problem that is in no file; `path` is a flag or a key, or empty.
    pub fn outside_files(path: &str, message: String) -> Self {
        Self { file: String::new(), line: None, path: path.to_owned(), message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", None) => {}
            ("", Some(line)) => write!(f, "line {line}: ")?,
            (file, None) => write!(f, "{file}: ")?,
            (file, Some(line)) => write!(f, "{file}:{line}: ")?,
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Maximum number of problems that are printed.
const MAX_PRINTED: usize = 20;

/// All problems of a configuration, by line. Displays the first twenty, and the number of the
/// others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// `Ok(value)` if there are no problems, else all of them.
    pub(super) fn or<T>(mut problems: Vec<Problem>, value: T) -> Result<T, Self> {
        if problems.is_empty() {
            return Ok(value);
        }
        problems.sort_by_key(|problem| problem.line);
        Err(Self(problems))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().take(MAX_PRINTED).enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        match self.0.len().saturating_sub(MAX_PRINTED) {
            0 => Ok(()),
            1 => write!(f, "\nand 1 more problem"),
            more => write!(f, "\nand {more} more problems"),
        }
    }
}

impl std::error::Error for Problems {}

/// `, did you mean "region"?` if one of `words` is similar to `word`, else nothing.
pub(super) fn hint<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, words).map_or_else(String::new, |near| format!(", did you mean \"{near}\"?"))
}

/// Maximum length of a word that is compared: no key, account or choice is longer.
const MAX_COMPARED: usize = 128;

/// The one of `words` that `word` was probably meant to be.
pub(super) fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > MAX_COMPARED {
        return None;
    }
    let word = word.to_lowercase();
    let likeness =
        |other: &str| strsim::normalized_damerau_levenshtein(&word, &other.to_lowercase());
    let best = words
        .into_iter()
        .map(|other| (likeness(other), other))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.6).then_some(best.1)
}

/// `a, b or c`.
pub(super) fn either<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_words_are_suggested() {
        assert_eq!(hint("regoin", ["account", "region"]), ", did you mean \"region\"?");
        assert_eq!(
            hint("AccessKeyId", ["access_key_id", "security_token"]),
            ", did you mean \"access_key_id\"?"
        );
        assert_eq!(hint("zone", ["account", "region"]), "");
        assert_eq!(hint("zone", []), "");
        assert_eq!(hint(&"region".repeat(100), ["region"]), "");
    }

    #[test]
    fn the_first_twenty_are_printed_and_how_many_more() {
        let problems = |count: usize| {
            let problem = |line| Problem {
                file: "c".into(),
                line: Some(line),
                path: "".into(),
                message: "x".into(),
            };
            Problems((1..=count).map(problem).collect()).to_string()
        };
        assert!(problems(20).ends_with("\nc:20: x"));
        assert!(problems(21).ends_with("\nc:20: x\nand 1 more problem"));
        assert!(problems(100_000).ends_with("\nc:20: x\nand 99980 more problems"));
    }

    #[test]
    fn words_are_enumerated() {
        assert_eq!(either(["a"]), "a");
        assert_eq!(either(["a", "b", "c"]), "a, b or c");
    }

    #[test]
    fn a_problem_says_where_it_is_as_far_as_known() {
        let at = |file: &str, line, path: &str| {
            Problem { file: file.into(), line, path: path.into(), message: "bad".into() }
                .to_string()
        };
        assert_eq!(at("c.yaml", Some(3), "poll"), "c.yaml:3: poll: bad");
        assert_eq!(at("c.yaml", None, ""), "c.yaml: bad");
        assert_eq!(at("", None, "--ehpc.cluster"), "--ehpc.cluster: bad");
    }
}
