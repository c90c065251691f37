//! Shared by the targets: headers, and bodies that are mostly a sample and partly odd.

use arbitrary::Unstructured;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::Value;

/// A secret that may be in any text of the cloud. The client removes it, so it may be nowhere.
pub const SECRET: &str = "Hunter2-Planted";

/// Cleans a text as the client does, whose credential this secret would be.
pub fn clean(text: &str) -> String {
    text.replace(SECRET, "<secret>")
}

/// Headers that a judgement looks at, and one that it does not.
const HEADERS: [&str; 12] = [
    "content-type",
    "retry-after",
    "x-acs-request-id",
    "x-acs-retry-after",
    "x-ratelimit-user-api",
    "x-ratelimit-user",
    "date",
    "location",
    "content-encoding",
    "proxy-status",
    "proxy-authenticate",
    "x-other",
];

/// Up to eight headers: each a byte that says which, the length of its value, and the value.
pub fn headers(input: &mut Unstructured<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for _ in 0..byte(input) % 9 {
        let name = HEADERS[usize::from(byte(input)) % HEADERS.len()];
        let length = usize::from(byte(input)).min(input.len());
        let value = input.bytes(length).unwrap_or_default();
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    headers
}

/// The next byte of the input; 0 after its end.
pub fn byte(input: &mut Unstructured<'_>) -> u8 {
    input.arbitrary().unwrap_or_default()
}

/// A point in time; often around the one that samples have.
pub fn time(input: &mut Unstructured<'_>) -> Timestamp {
    let seconds: i64 = match byte(input) % 4 {
        0 => input.arbitrary().unwrap_or_default(),
        _ => 1_714_978_800 + i64::from(input.arbitrary::<i16>().unwrap_or_default()),
    };
    let limits = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    Timestamp::from_second(seconds.clamp(*limits.start(), *limits.end())).unwrap_or_default()
}

/// Writes a sample again, changed where the input says so. The input is a list of changes, each
/// with how many keys and values to keep before it; after its end, all is kept.
pub struct Writer<'a, 'b> {
    input: &'b mut Unstructured<'a>,
    keep: u32,
    body: Vec<u8>,
}

/// Values that no document names, or only elsewhere.
const ODD: [&str; 30] = [
    "null",
    "true",
    "\"\"",
    "\" \"",
    "{}",
    "[]",
    "\"[]\"",
    "[null]",
    "-1",
    "0",
    "1e400",
    "1.5",
    "99999999999999999999999",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "9007199254740993",
    "nan",
    "\"null\"",
    "\"Running\"",
    "\"Failed\"",
    "\"0001-01-01T00:00:00Z\"",
    "\"9999-12-31T23:59:59Z\"",
    "\"2024-05-06 07:00:00\"",
    "\"\\ud83d\"",
    "\"\\\\\\\"\"",
    "\"cn-hangzhou\"",
    "\"Hunter2-Planted\"",
    "\"Throttling.User\"",
    "\"200\"",
];

/// Keys that some answers have.
const KEYS: [&str; 8] =
    ["Code", "code", "Message", "RequestId", "TotalCount", "PageSize", "Id", "InstanceId"];

impl<'a, 'b> Writer<'a, 'b> {
    /// Writes `sample` as `input` says.
    pub fn write(sample: &Value, input: &'b mut Unstructured<'a>) -> Vec<u8> {
        let mut writer = Self { input, keep: 0, body: Vec::new() };
        writer.rewind();
        writer.value(sample);
        if writer.is_kept() {
            return writer.body;
        }
        let piece = writer.piece();
        match byte(writer.input) % 3 {
            0 => [b"\xef\xbb\xbf", &*writer.body].concat(),
            1 => [piece, &writer.body].concat(),
            _ => [&writer.body, piece].concat(),
        }
    }

    /// Reads how much to keep before the next change.
    fn rewind(&mut self) {
        self.keep = match self.input.is_empty() {
            true => u32::MAX,
            false => u32::from(byte(self.input)),
        };
    }

    /// Whether the next thing stays as it is.
    fn is_kept(&mut self) -> bool {
        if self.keep == 0 {
            self.rewind();
            return false;
        }
        self.keep -= 1;
        true
    }

    /// A piece of the input.
    fn piece(&mut self) -> &'a [u8] {
        let length = usize::from(byte(self.input)).min(self.input.len());
        self.input.bytes(length).unwrap_or_default()
    }

    fn raw(&mut self, text: impl AsRef<[u8]>) {
        self.body.extend_from_slice(text.as_ref());
    }

    fn text(&mut self, text: &str) {
        self.raw(Value::from(text).to_string());
    }

    fn value(&mut self, value: &Value) {
        if self.is_kept() {
            return self.same(value);
        }
        match byte(self.input) % 12 {
            0..=4 => {
                let odd = ODD[usize::from(byte(self.input)) % ODD.len()];
                self.raw(odd);
            }
            5 => {
                let text = String::from_utf8_lossy(self.piece()).into_owned();
                self.text(&text);
            }
            6 => {
                let piece = self.piece();
                self.raw(b"\"");
                self.raw(piece);
                self.raw(b"\"");
            }
            7 => {
                let piece = self.piece();
                self.raw(piece);
            }
            8 => {
                let depth = usize::from(byte(self.input)) * 16;
                let (open, close) = match byte(self.input) % 2 {
                    0 => ("[", "]"),
                    _ => ("{\"a\":", "}"),
                };
                self.raw(open.repeat(depth));
                self.same(value);
                self.raw(close.repeat(depth));
            }
            9 => {
                // JSON in a string, as some fields have it.
                let text = value.to_string();
                self.text(&text);
            }
            10 => {
                let scalar = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let is_text = value.is_string();
                if is_text { self.raw(scalar) } else { self.text(&scalar) }
            }
            _ => {
                let long = "x".repeat(usize::from(byte(self.input)) * 32);
                self.text(&long);
            }
        }
    }

    fn same(&mut self, value: &Value) {
        match value {
            Value::Array(items) => {
                self.raw(b"[");
                for (index, item) in items.iter().enumerate() {
                    self.comma(index);
                    self.item(item);
                }
                self.raw(b"]");
            }
            Value::Object(fields) => {
                self.raw(b"{");
                for (index, (key, value)) in fields.iter().enumerate() {
                    self.comma(index);
                    self.field(key, value);
                }
                self.raw(b"}");
            }
            scalar => self.raw(scalar.to_string()),
        }
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.raw(b",");
        }
    }

    /// An entry of a list; maybe twice, or with something in front.
    fn item(&mut self, item: &Value) {
        if !self.is_kept() {
            match byte(self.input) % 3 {
                0 => self.value(item),
                1 => self.raw(b"oops"),
                _ => self.raw(b"null"),
            }
            self.raw(b",");
        }
        self.value(item);
    }

    fn field(&mut self, key: &str, value: &Value) {
        if self.is_kept() {
            self.text(key);
            self.raw(b":");
            return self.value(value);
        }
        let text = match byte(self.input) % 7 {
            // The field is missing; something must stand there.
            0 => "Other".to_owned(),
            1 => key.to_lowercase(),
            2 => key.to_uppercase(),
            3 => String::from_utf8_lossy(self.piece()).into_owned(),
            4 => KEYS[usize::from(byte(self.input)) % KEYS.len()].to_owned(),
            5 => {
                self.text(key);
                self.raw(b":");
                self.value(value);
                self.raw(b",");
                key.to_owned()
            }
            _ => {
                let piece = self.piece();
                self.raw(piece);
                key.to_owned()
            }
        };
        self.text(&text);
        self.raw(b":");
        self.value(value);
    }
}

/// Asserts what holds for every error of an answer.
pub fn check_error(error: aliyun_task_exporter::aliyun::Error) {
    use aliyun_task_exporter::aliyun::Error;
    // Each text of the cloud is cut at 200 characters, and an error has at most three.
    const LONGEST: usize = 200;
    let error = error.cleaned(clean);
    let shown = error.to_string();
    assert!(shown.chars().count() < 3 * LONGEST + 100, "{shown}");
    assert!(!shown.contains(SECRET) && !error.advice().contains(SECRET), "{shown}");
    assert!(!shown.contains(char::is_control), "{shown:?}");
    if let Error::Service { code, message, request_id, .. } = &error {
        let is_short = |text: &&String| text.chars().count() <= LONGEST;
        assert!([code, message, request_id].iter().all(is_short), "{shown}");
    }
    let longest = std::time::Duration::from_secs(300);
    assert!(error.pause().is_none_or(|pause| pause <= longest && !pause.is_zero()));
    let is_of_proxy = matches!(error, Error::Proxy(_) | Error::ProxyLogin(_));
    assert!(error.is_answer() != is_of_proxy);
    assert!(!error.code_or_status().is_empty() || error.code().is_some());
    assert!(!error.advice().is_empty());
    let _ = (error.reason(), error.retry(), error.is_one_thing_gone(), error.is_of_one_question());
}
