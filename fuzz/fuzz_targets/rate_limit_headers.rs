//! Headers that ask to wait, at any time by any clock.

#![no_main]

use std::time::Duration;

use aliyun_task_exporter::aliyun::op::SwasListRegions;
use aliyun_task_exporter::aliyun::{RawAnswer, decode};
use arbitrary::Unstructured;
use fuzzing::{headers, time};
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;

/// Whatever the headers say.
const LONGEST: Duration = Duration::from_secs(300);

fuzz_target!(|data: &[u8]| {
    let mut input = Unstructured::new(data);
    let sent = time(&mut input);
    let received = time(&mut input);
    let headers = headers(&mut input);
    let body = bytes::Bytes::from_static(b"{\"Code\": \"Throttling.User\"}");
    let seconds = whole(&headers, "retry-after").map(Duration::from_secs);
    let millis = whole(&headers, "x-acs-retry-after").map(Duration::from_millis);
    let answer = RawAnswer { status: 429, headers, body, sent, received, is_proxied: false };
    let (outcome, skew) = decode(&SwasListRegions.into(), &answer);
    let pause = outcome.expect_err("it is throttled").pause();
    assert!(pause.is_none_or(|pause| !pause.is_zero() && pause <= LONGEST), "{pause:?}");
    // A plain number holds, whatever else is asked for.
    for wanted in [seconds, millis].into_iter().flatten() {
        assert!(pause.unwrap_or_default() >= wanted.min(LONGEST), "{pause:?} of {wanted:?}");
    }
    // Only a Date tells how far the clocks are apart.
    assert!(skew.is_none() || answer.headers.contains_key("date"));
});

/// The number that the first header of this name consists of.
fn whole(headers: &HeaderMap, name: &str) -> Option<u64> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}
