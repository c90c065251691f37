//! The documents that exist in English and in Chinese say the same.
//!
//! "The same" is what can be held without reading either language: both have the same parts in the
//! same order (headings of each level, paragraphs, items, rows, code blocks), and each part of one
//! has
//! - the same code spans and the same names (of metrics, keys, alerts and operations),
//! - in Chinese no emphasised title, such as a panel's, that the English part does not have,
//! - the same links, each to the Chinese document where there is one,
//! - in Chinese every number that the English part has in digits,
//! - in a row, the same cells where they hold no Chinese,
//! - in a code block, the same lines but for comments.

use crate::support::{files, package, read};

mod compare;
mod document;

use compare::{EXAMPLES, PAIRS, Text, compare, missing, sets};
use document::{Kind, Part, anchors, commented_lines, is_han, names, numbers, parts, resolve};

/// In Chinese alone: the list of the others, and the words in which they are written.
const CONTENTS: &str = "docs/zh-CN/README.md";

#[test]
fn every_document_says_the_same_in_both_languages() {
    let differences = PAIRS.map(|(english, chinese)| {
        let found = compare(Text::read(english), Text::read(chinese));
        found.into_iter().map(move |found| format!("{chinese}:{found} ({english})"))
    });
    let differences: Vec<_> = differences.into_iter().flatten().collect();
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

#[test]
fn both_examples_hold_the_same() {
    let english = read(EXAMPLES.0);
    let chinese = read(EXAMPLES.1);
    let wanted = commented_lines(&english);
    let found = commented_lines(&chinese);
    let mut differences = Vec::new();
    for ((wanted, wanted_comments), (found, comments)) in wanted.iter().zip(&found) {
        assert_eq!(wanted, found, "the first line that differs");
        let mut inside = sets("name", &names(wanted_comments), &names(comments));
        inside.extend(missing("number", &numbers(wanted_comments), &numbers(comments)));
        differences.extend(inside.into_iter().map(|inside| format!("{wanted:?}: {inside}")));
    }
    assert_eq!(wanted.len(), found.len());
    assert!(wanted.len() > 60);
    assert!(differences.is_empty(), "in the comments at\n{}", differences.join("\n"));
}

#[test]
fn every_chinese_document_has_an_english_one() {
    let root = package("");
    let folder = files("docs/zh-CN", ".md");
    let paths = folder.iter().map(|path| path.strip_prefix(&root).unwrap());
    let alone: Vec<_> = paths
        .filter(|path| **path != *CONTENTS && PAIRS.iter().all(|(_, chinese)| *path != *chinese))
        .collect();
    assert!(alone.is_empty(), "PAIRS does not name {alone:?}");
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let root = package("");
    let folders = ["docs", "dashboards"].into_iter().flat_map(|folder| files(folder, ".md"));
    let top = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
    let top = top.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut broken = Vec::new();
    let mut seen = 0;
    for file in folders.chain(top) {
        let path = file.strip_prefix(&root).unwrap().display().to_string();
        let text = Text::read(&path);
        for part in text.parts.iter().filter(|part| part.kind != Kind::Block) {
            let links = part.links().into_iter().filter(|link| !link.contains("://"));
            for link in links {
                seen += 1;
                if !leads_somewhere(&path, &link) {
                    broken.push(format!("{path}:{}: {link}", part.line));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    assert!(seen > 100, "only {seen} links were seen");
}

fn leads_somewhere(document: &str, link: &str) -> bool {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(f, a)| (f, Some(a)));
    let target = if file.is_empty() { document.to_owned() } else { resolve(document, file) };
    if !package(&target).exists() {
        return false;
    }
    anchor.is_none_or(|anchor| anchors(&parts(&read(&target))).contains(anchor))
}

#[test]
fn chinese_is_set_as_chinese() {
    let documents = PAIRS.iter().map(|(_, chinese)| *chinese).chain([CONTENTS]);
    let mut wrong = Vec::new();
    for path in documents {
        for part in Text::read(path).parts.iter().filter(|part| part.kind != Kind::Block) {
            let faults = setting(part);
            wrong.extend(faults.into_iter().map(|fault| format!("{path}:{}: {fault}", part.line)));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Words for which the Chinese documents have another, which `CONTENTS` lists.
const OTHER_WORDS: [(&str, &str); 6] = [
    ("凭证", "凭据"),
    ("账户", "账号"),
    ("报警", "告警"),
    ("区域", "地域"),
    ("云端", "阿里云"),
    ("返回码", "退出码"),
];

#[test]
fn chinese_has_one_word_for_one_thing() {
    let documents = PAIRS.iter().map(|(_, chinese)| *chinese).chain([CONTENTS, EXAMPLES.1]);
    let mut wrong = Vec::new();
    for path in documents {
        for (index, line) in read(path).lines().enumerate() {
            let used = OTHER_WORDS.iter().filter(|(other, _)| line.contains(other));
            wrong.extend(used.map(|words| format!("{path}:{}: {words:?}", index + 1)));
        }
    }
    assert!(wrong.is_empty(), "a word, and the one to use\n{}", wrong.join("\n"));
}

/// What is wrong with how a part is set: a line break shows as a space, Latin letters and digits
/// are set off by spaces, punctuation is full-width.
fn setting(part: &Part) -> Vec<String> {
    let lines = part.lines.iter().filter(|line| !line.starts_with("<a id="));
    let mut faults = Vec::new();
    if lines.count() > 1 {
        faults.push("more than one line".to_owned());
    }
    let text: Vec<char> = part.visible().chars().collect();
    for (index, pair) in text.windows(2).enumerate() {
        let fault = match (pair[0], pair[1]) {
            (a, b) if is_han(a) && b.is_ascii_alphanumeric() => "no space",
            (a, b) if a.is_ascii_alphanumeric() && is_han(b) => "no space",
            (a, b) if is_han(a) && ",;:?!(".contains(b) => "half-width punctuation",
            (a, b) if ",;:?!)".contains(a) && is_han(b) => "half-width punctuation",
            (a, b) if is_han(a) && b == ' ' && text.get(index + 2).is_some_and(|c| is_han(*c)) => {
                "a space"
            }
            _ => continue,
        };
        let around = &text[index.saturating_sub(8)..text.len().min(index + 9)];
        faults.push(format!("{fault} in {:?}", around.iter().collect::<String>()));
    }
    faults
}

/// Two texts that differ in one respect each, and what is said about them.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("## One", "### 一", "the parts differ"),
    ("a\n\nb", "甲", "the end stands for Paragraph \"b\" (line 3)"),
    ("- a\n- b", "- 甲", "the end stands for Item"),
    ("`max_age` is", "是 `max_tasks`", "code \"max_age\" is missing"),
    ("max_age is", "是", "name \"max_age\" is missing"),
    ("it is", "是 ListTasks", "name \"ListTasks\" only in Chinese"),
    ("after AliyunTaskNoLeader", "之后", "name \"AliyunTaskNoLeader\" is missing"),
    ("see *Ended tasks*", "见 *Tasks*", "title \"Tasks\" only in Chinese"),
    ("75 of 1,024", "1024 中的 60", "number \"75\" is missing"),
    ("see [it](https://a.b)", "见此", "link \"https://a.b\" is missing"),
    ("see [it](metrics.md)", "见[此](../metrics.md)", "docs/metrics.md exists in Chinese"),
    ("see [it](design.md)", "见[此](../design.md)", "docs/design.md is not marked"),
    ("| gauge | a |", "| counter | 甲 |", "\"counter\" instead of \"gauge\""),
    ("| a | b |", "| 甲 |", "1 cells instead of 2"),
    ("```yaml\na: 1 # one\n```", "```yaml\na: 2 # 一\n```", "the code block differs in \"a: 2\""),
    ("```sh\na\nb\n```", "```sh\na\n```", "the code block differs in its length"),
    ("```sh\na\n```", "```yaml\na\n```", "the code block differs in \"yaml\""),
    ("```\na # b\n```", "```\na # c\n```", "the code block differs in \"a # c\""),
];

#[test]
fn each_difference_is_told() {
    for (english, chinese, told) in DIFFERENT {
        let english = Text::new("docs/some.md", english);
        let differences = compare(english, Text::new("docs/zh-CN/some.md", chinese));
        let is_told = differences.iter().any(|difference| difference.contains(told));
        assert!(is_told, "{told:?} is not in {differences:?}");
    }
}

#[test]
fn a_translation_is_the_same() {
    let english = "# A\nSee `a`,\n`b` and [it](design.md#a): 75.\n\n\
        | key | `a`, `b` |\n|---|---|\n| x | 1 |\n\n- c\n  d\n\n```yaml\na: 1   # one\n```\n";
    let chinese = "# 甲\n见 `b`、`a` 和[此](../design.md#甲)（英文）：75、100。\n\n\
        | 键 | `a`、`b` |\n| --- | --- |\n| x | 1 |\n\n- 丙\n\n```yaml\n# 注释\na: 1 # 一\n```\n";
    let differences =
        compare(Text::new("docs/some.md", english), Text::new("docs/zh-CN/some.md", chinese));
    assert!(differences.is_empty(), "{differences:?}");
}

#[test]
fn bad_setting_is_told() {
    let faults = |text: &str| parts(text).iter().flat_map(setting).collect::<Vec<_>>();
    for bad in ["每次poll", "`a`的值", "值`a`", "甲,乙", "甲 乙", "甲乙\n丙丁", "第3次", "甲(乙)"]
    {
        assert!(!faults(bad).is_empty(), "{bad}");
    }
    for good in ["每次 poll 之后", "值 `a`，见[此](b.md)。", "**甲**乙", "甲（A）：乙"]
    {
        assert!(faults(good).is_empty(), "{good}: {:?}", faults(good));
    }
}

#[test]
fn a_link_to_nothing_is_told() {
    assert!(leads_somewhere("docs/zh-CN/security.md", "../../SECURITY.md"));
    assert!(leads_somewhere("docs/zh-CN/configuration.md", "#日志"));
    assert!(leads_somewhere("docs/configuration.md", "#how-to-divide-quotas"));
    assert!(!leads_somewhere("docs/configuration.md", "#no-such-heading"));
    assert!(!leads_somewhere("docs/configuration.md", "no-such-file.md"));
}
