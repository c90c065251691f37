//! Finds the error in a body: `Code`, `Message` and `RequestId`, in JSON or XML. A body that cannot
//! be parsed has none.

mod fields;
mod json;
mod xml;

use std::borrow::Cow;

use super::json::top_level;
pub(super) use fields::{Depth, ErrorBody};

/// The error in `body`; `None` without a code, or if the code means success.
pub(super) fn error_body(body: &[u8], depth: Depth) -> Option<ErrorBody> {
    let text = text(body);
    let text = text.trim_start();
    match text.as_bytes().first()? {
        b'{' | b'[' => json::error_body(text, depth),
        b'<' => xml::error_body(text, depth),
        _ => None,
    }
}

/// `RequestId` of a JSON answer, whatever else that contains.
pub(super) fn request_id(body: &[u8]) -> Option<String> {
    let id = top_level(body).ok()?.get("RequestId")?.string()?;
    Some(String::from_utf8_lossy(&id).into_owned())
}

/// The body without a byte order mark.
pub(super) fn unmarked(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)
}

/// Invalid UTF-8 is shown as U+FFFD.
fn text(body: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(unmarked(body))
}

#[cfg(test)]
mod tests {
    use super::{Depth, ErrorBody, error_body};

    fn code(body: impl AsRef<[u8]>, depth: Depth) -> Option<String> {
        error_body(body.as_ref(), depth).map(|error_body| error_body.code)
    }

    #[test]
    fn a_code_is_found_in_every_form_in_which_it_may_come() {
        for (wanted, body) in [
            ("Throttling", r#"{"Code": "Throttling"}"#),
            ("Throttling", "\u{feff}\n {\"code\": \"Throttling\"}"),
            ("Throttling", r#"{"CODE": "Throttling", "Message": "\ud83d"}"#),
            ("Throttling", r#"{"Message": "half \ud83d", "Code": "Throttling", "Size": 1e999}"#),
            ("B", r#"{"Code": "A", "Code": "B"}"#),
            ("A", r#"{"Code": "A", "code": "200"}"#),
            ("A", r#"{"Code": 200, "code": "A"}"#),
            ("A", r#"{"Code": "A", "Message": "it breaks of"#),
            ("500", r#"{"Code": 500}"#),
            ("A", "<Error><Code>A</Code></Error>"),
            (
                "A",
                "\u{feff}<?xml version='1.0'?>\n<!-- <Code>no</Code> --><Error><Code> A\n</Code></Error>",
            ),
            (
                "A",
                r#"<e:Error xmlns:e="x>y" a='/'><e:Code type="t"><![CDATA[A]]></e:Code></e:Error>"#,
            ),
            ("A.B&C", "<Error><Code>A&#46;B&amp;&#x43;</Code></Error>"),
            ("A", "<!DOCTYPE Error [<!ENTITY x \"y\">]><Error><HostId/><code>A</code>"),
            ("B", "<Error><Code>A</Code><Code>B</Code></Error>"),
        ] {
            assert_eq!(code(body, Depth::Top).as_deref(), Some(wanted), "{body}");
            assert_eq!(code(body, Depth::Any).as_deref(), Some(wanted), "{body}");
        }
        assert_eq!(
            code(b"{\"Message\": \"\xc4\xfa\xba\xc3\", \"Code\": \"A\"}", Depth::Top).as_deref(),
            Some("A")
        );
        assert_eq!(
            code(b"<Error><Message>\xc4\xfa</Message><Code>A</Code></Error>", Depth::Top)
                .as_deref(),
            Some("A")
        );
    }

    #[test]
    fn a_code_inside_something_else_counts_only_where_nothing_was_asked_for() {
        for body in [
            r#"{"Errors": [{"Code": "A"}], "Tasks": []}"#,
            r#"{"error": {"code": "A"}, "code": 200}"#,
            r#"[{"Code": "A"}]"#,
            r#"{"Code": {"Code": "A"}}"#,
            "<ErrorResponse><Error><Code>A</Code></Error></ErrorResponse>",
        ] {
            assert_eq!(
                (code(body, Depth::Top), code(body, Depth::Any)),
                (None, Some("A".into())),
                "{body}"
            );
        }
        let outer = r#"{"Data": {"Code": "B"}, "Code": "A", "More": {"Code": "C"}}"#;
        assert_eq!(code(outer, Depth::Any).as_deref(), Some("A"));
    }

    #[test]
    fn what_says_that_all_is_well_or_nothing_is_no_error() {
        for word in ["0", "200", "200.0", "OK", "ok", "Success", "SUCCESS", "", " "] {
            let bodies = [
                format!(r#"{{"Code": "{word}"}}"#),
                format!("<Error><Code>{word}</Code></Error>"),
                format!(r#"{{"Code": "A", "Code": "{word}"}}"#),
            ];
            for body in bodies {
                assert_eq!(code(&body, Depth::Any), None, "{body}");
            }
        }
        for body in [
            r#"{"Code": 0}"#,
            r#"{"Code": 200}"#,
            r#"{"Code": null}"#,
            r#"{"Code": false}"#,
            r#"{"ErrorCode": "A", "text": "\"Code\": \"A\""}"#,
            r#""Code""#,
            "",
            "Code: A",
            "<html><body><code>A</code></body></html>",
            "<!DOCTYPE html><div><Code>A</Code></div>",
            "<?xml version='1.0'?><HTML><Code>A</Code></HTML>",
            "<center><h1>403</h1><code>A</code></center>",
            "<Error><Code>A",
            "<Error><![CDATA[<Code>A</Code>",
            "<",
            "<<<>",
        ] {
            assert_eq!(code(body, Depth::Any), None, "{body}");
        }
    }

    #[test]
    fn the_message_and_the_request_id_come_along() {
        let of = |body: &str| error_body(body.as_bytes(), Depth::Any).unwrap();
        let wanted = ErrorBody {
            code: "A".into(),
            message: Some("m & n".into()),
            request_id: Some("r".into()),
        };
        assert_eq!(of(r#"{"requestId": "r", "Error": {"Message": "m & n", "Code": "A"}}"#), wanted);
        assert_eq!(
            of(
                "<E><RequestId>r</RequestId><Error><Code>A</Code><Message>m &amp; n</Message></Error></E>"
            ),
            wanted
        );
    }

    #[test]
    fn a_body_made_to_be_slow_is_read_in_no_time() {
        let deep = "[".repeat(200_000);
        let wide = "<a>".repeat(200_000);
        let nested = format!("{}{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        for body in [deep, wide, nested, "<".repeat(200_000), "<![CDATA[".repeat(20_000)] {
            assert_eq!(code(&body, Depth::Any), None);
        }
    }
}
