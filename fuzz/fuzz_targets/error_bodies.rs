//! Refusals: any status that is none of success, with any headers and any body.

#![no_main]

use aliyun_task_exporter::aliyun::op::SwasListRegions;
use aliyun_task_exporter::aliyun::{Error, RawAnswer, decode};
use arbitrary::Unstructured;
use fuzzing::{byte, check_error, headers, time};
use libfuzzer_sys::fuzz_target;

const STATUSES: [u16; 16] =
    [400, 400, 401, 403, 404, 406, 407, 409, 429, 500, 502, 503, 504, 301, 307, 418];

fuzz_target!(|data: &[u8]| {
    let mut input = Unstructured::new(data);
    let status = match byte(&mut input) {
        index @ 0..200 => STATUSES[usize::from(index) % STATUSES.len()],
        // What no server may send, too.
        _ => input.arbitrary().unwrap_or_default(),
    };
    if (200..300).contains(&status) {
        return;
    }
    let is_proxied = byte(&mut input) % 2 == 1;
    let headers = headers(&mut input);
    let sent = time(&mut input);
    let received = time(&mut input);
    let body = input.take_rest().to_vec();
    let answer = RawAnswer { status, headers, body: body.into(), sent, received, is_proxied };
    let error = decode(&SwasListRegions.into(), &answer).0.expect_err("a refusal is an error");
    if let Error::Service { code, .. } = &error {
        assert!(!["", "200", "ok", "success"].contains(&&*code.to_lowercase()), "{code}");
    }
    // Only a proxy that the user has configured is at fault.
    assert!(is_proxied || !matches!(error, Error::Proxy(_) | Error::ProxyLogin(_)));
    check_error(error);
});
