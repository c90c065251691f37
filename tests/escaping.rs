//! Whatever text is in a label, a HELP or on the page, a reader that knows only the format's
//! specification gets it back.
//!
//! The readers here are written from <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>, RFC 8259
//! and the HTML standard, and refuse what these do not allow.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;
use std::time::Duration;

use aliyun_task_exporter::clock::Moment;
use aliyun_task_exporter::config::{InvocationWindow, Metrics, StatusStyle};
use aliyun_task_exporter::exposition::{Encoding, Exposition, Format, process_metrics};
use aliyun_task_exporter::model::*;
use aliyun_task_exporter::self_metrics::SelfMetrics;
use aliyun_task_exporter::store::{PollEnd, Store};
use aliyun_task_exporter::target::{Kind, Scope, Target, TargetId};
use aliyun_task_exporter::web::{Site, router};
use http_body_util::BodyExt;
use proptest::prelude::*;
use tower::ServiceExt;

/// Text with many of the characters that mean something to a reader.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(
        "\\\"\n\r\t\0 {}[]()<>&;'`=,#/|%$n\u{7f}\u{85}\u{2028}\u{feff}\u{202e}\u{fffd}é备😀"
            .chars()
            .collect::<Vec<_>>(),
    );
    let piece = prop_oneof![
        6 => special.prop_map(String::from),
        2 => any::<char>().prop_map(String::from),
        1 => prop::sample::select(vec![
            "\\n", "\\\\", "\\\"", "\"} 1\n", "# EOF\n", "# HELP a b\n", "&amp;", "&#34;", "</td>",
            "<script>", "<!--", "\\u0041", "{a=\"b\"}",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 1..24).prop_map(|pieces| pieces.concat())
}

/// A line of `/metrics` that is read.
#[derive(Debug, PartialEq)]
enum Line {
    Help(String, String),
    Comment,
    Sample(String, BTreeMap<String, String>, String),
}

/// The lines of a page.
fn lines(page: &str, format: Format) -> Vec<Line> {
    assert!(page.is_empty() || page.ends_with('\n'), "the last line must end");
    // Only a line feed ends a line, whatever else Unicode takes for one.
    page.split_terminator('\n').map(|line| read_line(line, format)).collect()
}

fn read_line(line: &str, format: Format) -> Line {
    if let Some(help) = line.strip_prefix("# HELP ") {
        let (name, text) = help.split_once(' ').unwrap();
        return Line::Help(name.to_owned(), unescaped(text, format));
    }
    if line.starts_with('#') {
        return Line::Comment;
    }
    let mut rest = line.chars().peekable();
    let name = word(&mut rest);
    let mut labels = BTreeMap::new();
    if rest.next_if_eq(&'{').is_some() {
        loop {
            let label = word(&mut rest);
            assert_eq!((rest.next(), rest.next()), (Some('='), Some('"')), "{line:?}");
            assert_eq!(labels.insert(label, quoted(&mut rest)), None, "twice: {line:?}");
            match rest.next() {
                Some(',') => {}
                Some('}') => break,
                other => panic!("{other:?} after a label: {line:?}"),
            }
        }
    }
    assert_eq!(rest.next(), Some(' '), "{line:?}");
    let value: String = rest.collect();
    assert!(value.parse::<f64>().is_ok(), "{value:?} is no value: {line:?}");
    Line::Sample(name, labels, value)
}

/// A name of a metric or a label.
fn word(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    while let Some(letter) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        word.push(letter);
    }
    assert!(!word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit()));
    word
}

/// A label's value, up to and including the quote that ends it.
fn quoted(rest: &mut impl Iterator<Item = char>) -> String {
    let mut value = String::new();
    loop {
        match rest.next().expect("a value must end") {
            '"' => return value,
            '\\' => value.push(match rest.next() {
                Some('n') => '\n',
                Some(same @ ('\\' | '"')) => same,
                other => panic!("\\ before {other:?}"),
            }),
            plain => value.push(plain),
        }
    }
}

/// The text of a HELP: in OpenMetrics quotes are escaped in it, in text 0.0.4 they are not.
fn unescaped(text: &str, format: Format) -> String {
    let mut help = String::new();
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        help.push(match (next, format) {
            ('\\', _) => match (rest.next(), format) {
                (Some('n'), _) => '\n',
                (Some('\\'), _) => '\\',
                (Some('"'), Format::OpenMetrics) => '"',
                (other, _) => panic!("\\ before {other:?}: {text:?}"),
            },
            ('"', Format::OpenMetrics) => panic!("a bare quote: {text:?}"),
            (plain, _) => plain,
        });
    }
    help
}

fn server(id: &str, name: &str) -> Target {
    Target {
        id: TargetId { kind: Kind::SwasInvocations, id: id.into() },
        account: "account".into(),
        quota_group: "account".into(),
        region: "cn-hangzhou".into(),
        name: name.into(),
        scope: Scope::SwasInvocations(InvocationWindow::default()),
    }
}

/// A server under these names, whose last poll failed after it was read.
fn store(target: &Target, command: &str, message: &str) -> Arc<Store> {
    let now = Moment::now();
    let store = Arc::new(Store::default());
    store.retarget(vec![Arc::new(target.clone())]);
    let invocation = Invocation {
        id: "t-1".into(),
        command_name: command.into(),
        command_type: CommandType::RunShellScript,
        status: InvocationStatus::Running,
        record: None,
        created: None,
    };
    let invocation = Arc::new(invocation);
    let invocations = vec![SeenSwasInvocation { invocation, result: None, timing: None }];
    let reading = SwasInvocationsReading { invocations, ..SwasInvocationsReading::default() };
    store.record(&target.id, Reading::SwasInvocations(reading), now);
    let failure = Failure {
        reason: Reason::Timeout,
        message: message.to_owned(),
        advice: "try again".into(),
    };
    let end = PollEnd {
        failure: Some(failure),
        lists: ListState::default(),
        ended: now,
        took: Duration::from_secs(1),
        next: now.wall,
        stale_after: Duration::from_secs(3600),
    };
    store.poll_ended(&target.id, end);
    store
}

fn page(store: Arc<Store>, format: Format) -> String {
    let limit = usize::MAX;
    let metrics = Metrics {
        status_style: StatusStyle::Current,
        max_series: limit,
        max_series_per_target: limit,
    };
    let exposition = Exposition::new(store, metrics);
    let body = exposition.body(format, Encoding::Identity, Moment::now()).0;
    let bytes: Vec<u8> = body.frames().iter().flat_map(|frame| frame.to_vec()).collect();
    String::from_utf8(bytes).unwrap()
}

/// What a path of a site over `store` answers.
fn served(store: Arc<Store>, path: &str) -> String {
    let metrics = Metrics::default();
    let exposition = Arc::new(Exposition::new(Arc::clone(&store), metrics));
    let own = Arc::new(SelfMetrics::new().unwrap());
    let site = Arc::new(Site::new(store, exposition, own, Arc::default(), Moment::now()));
    let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = router(site).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    })
}

/// A document as a browser takes it apart: its tags with the names of their attributes, and its
/// text and the values of attributes with their references resolved.
#[derive(Debug, Default)]
struct Document {
    tags: Vec<String>,
    texts: Vec<String>,
}

fn html(document: &str) -> Document {
    let mut read = Document::default();
    let mut rest = document;
    while let Some((text, after)) = rest.split_once('<') {
        read.texts.push(resolved(text));
        rest = read.tag(after);
    }
    read.texts.push(resolved(rest));
    read
}

impl Document {
    /// Reads a tag; returns what follows it.
    fn tag<'a>(&mut self, text: &'a str) -> &'a str {
        let end = text.find([' ', '>']).unwrap();
        let mut tag = text[..end].to_owned();
        let mut rest = &text[end..];
        loop {
            rest = rest.trim_start_matches(' ');
            if let Some(after) = rest.strip_prefix('>') {
                self.tags.push(tag);
                return after;
            }
            let end = rest.find(['=', ' ', '>']).unwrap();
            assert!(end > 0, "{rest:.40?}");
            tag += " ";
            tag += &rest[..end];
            rest = &rest[end..];
            if let Some(quoted) = rest.strip_prefix("=\"") {
                let (value, after) = quoted.split_once('"').unwrap();
                self.texts.push(resolved(value));
                rest = after;
            }
        }
    }

    /// Whether `text` is what a node or an attribute says, or part of that.
    fn says(&self, text: &str) -> bool {
        self.texts.iter().any(|node| node.contains(text))
    }
}

/// Text as the page shows it: what has no shape of its own, or turns others round, as its number.
fn seen(text: &str) -> String {
    let number = |c: char| format!("\\u{:04x}", u32::from(c));
    let turns = |c: char| {
        matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
    };
    text.chars()
        .map(|c| if c != '\n' && (c.is_control() || turns(c)) { number(c) } else { c.into() })
        .collect()
}

/// Text with its character references resolved.
fn resolved(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain += before;
        let (name, after) = after.split_once(';').expect("a bare ampersand");
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            other => panic!("&{other};"),
        });
        rest = after;
    }
    plain + rest
}

/// The strings in a JSON document, keys included.
fn strings(json: &str) -> Vec<String> {
    let mut strings = Vec::new();
    let mut rest = json.chars();
    while let Some(next) = rest.next() {
        if next == '"' {
            strings.push(string(&mut rest));
        }
    }
    strings
}

fn string(rest: &mut impl Iterator<Item = char>) -> String {
    let mut units: Vec<u16> = Vec::new();
    loop {
        let plain = match rest.next().expect("a string must end") {
            '"' => return String::from_utf16(&units).expect("surrogates come in pairs"),
            '\\' => match rest.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some(same @ ('"' | '\\' | '/')) => same,
                Some('u') => {
                    let digits: String = rest.take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).unwrap());
                    continue;
                }
                other => panic!("\\ before {other:?}"),
            },
            control @ '\0'..' ' => panic!("a bare {control:?}"),
            plain => plain,
        };
        units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn help_and_labels_of_the_exporters_own_metrics_come_back(help in text(), value in text()) {
        let registry = prometheus::Registry::new();
        let options = prometheus::Opts::new("things", &*help);
        let gauge = prometheus::GaugeVec::new(options, &["one", "other"]).unwrap();
        gauge.with_label_values(&[&*value, "x"]).set(1.5);
        registry.register(Box::new(gauge)).unwrap();
        for format in [Format::Text, Format::OpenMetrics] {
            let read = lines(&process_metrics(&registry.gather(), format), format);
            let labels = [("one", &*value), ("other", "x")];
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
            prop_assert_eq!(&read[0], &Line::Help("things".into(), help.clone()));
            prop_assert_eq!(
                &read[2],
                &Line::Sample("things".into(), BTreeMap::from(labels), "1.5".into())
            );
            let comments = if format == Format::OpenMetrics { 2 } else { 1 };
            prop_assert_eq!(read.len(), 2 + comments);
        }
    }

    #[test]
    fn labels_of_targets_come_back(id in text(), name in text(), command in text()) {
        let store = store(&server(&id, &name), &command, "m");
        let plain = page(self::store(&server("i", "n"), "c", "m"), Format::Text);
        for format in [Format::Text, Format::OpenMetrics] {
            let page = page(Arc::clone(&store), format);
            let read = lines(&page, format);
            let samples = |lines: &[Line]| {
                lines.iter().filter(|line| matches!(line, Line::Sample(..))).count()
            };
            prop_assert_eq!(samples(&read), samples(&lines(&plain, Format::Text)));
            for (label, wanted) in
                [("instance_id", &id), ("target", &id), ("instance_name", &name), ("command_name", &command)]
            {
                let mut found = 0;
                for line in &read {
                    let Line::Sample(_, labels, _) = line else { continue };
                    if let Some(value) = labels.get(label) {
                        prop_assert_eq!(value, wanted);
                        found += 1;
                    }
                }
                prop_assert!(found > 0, "nothing has {}", label);
            }
        }
    }

    #[test]
    fn the_status_page_and_its_json_say_it_too_and_no_text_becomes_a_tag(
        id in text(), name in text(), command in text(), message in text(),
    ) {
        let plain = html(&served(store(&server("i", "n"), "c", "m"), "/"));
        let store = store(&server(&id, &name), &command, &message);
        let page = html(&served(Arc::clone(&store), "/"));
        prop_assert_eq!(&page.tags, &plain.tags);
        let json = strings(&served(store, "/api/v1/status"));
        for wanted in [id, name, command, message] {
            prop_assert!(page.says(&seen(&wanted)), "the page does not say {:?}", wanted);
            prop_assert!(json.contains(&wanted), "the JSON does not say {:?}", wanted);
        }
    }
}

#[test]
fn the_readers_refuse_what_the_formats_do_not_allow() {
    let fails = |read: fn()| assert!(std::panic::catch_unwind(read).is_err());
    fails(|| _ = lines("a{b=\"c\\d\"} 1\n", Format::Text));
    fails(|| _ = lines("a{b=\"c\"d\"} 1\n", Format::Text));
    fails(|| _ = lines("a{b=\"c\nd\"} 1\n", Format::Text));
    fails(|| _ = lines("# HELP a say \"b\"\n", Format::OpenMetrics));
    fails(|| _ = lines("# HELP a say \\\"b\\\"\n", Format::Text));
    fails(|| _ = html("<p>a & b</p>"));
    fails(|| _ = strings("\"a\nb\""));
    let read = html("<p title=\"&quot;&amp;lt;\">&lt;p&gt;</p>");
    assert_eq!(read.tags, ["p title", "/p"]);
    assert!(read.says("\"&lt;") && read.says("<p>"));
    assert_eq!(strings(r#"{"a\u0041": "\ud83d\ude00"}"#), ["aA", "😀"]);
}
