//! Any text as the configuration file.

#![no_main]

use aliyun_task_exporter::config::{parse, redacted_yaml};
use libfuzzer_sys::fuzz_target;

/// What `${SECRET}` stands for.
const PLANTED: &str = "Hunter2-Planted";

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "SECRET" => PLANTED,
        "REGION" => "cn-hangzhou",
        "NUMBER" => "5",
        "EMPTY" => "",
        "ODD" => "a: [b\n\u{1b}",
        _ => return None,
    };
    Some(value.to_owned())
}

fuzz_target!(|data: &[u8]| {
    let text = &*String::from_utf8_lossy(data);
    let config = match parse("config.yaml", text, &environment) {
        Ok(config) => config,
        Err(problems) => {
            assert!(!problems.0.is_empty());
            for problem in &problems.0 {
                let shown = problem.to_string();
                assert!(text.contains(PLANTED) || !shown.contains(PLANTED), "{shown}");
                assert!(!shown.contains(char::is_control), "{shown:?}");
                let lines = text.split(['\n', '\r']).count() + 1;
                assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{shown}");
            }
            return;
        }
    };
    assert!(!format!("{config:?}").is_empty());
    let yaml = redacted_yaml(&config);
    assert!(!yaml.starts_with("# The configuration cannot be written"), "{yaml}");
    // The rest of a URI for credentials is not shown, either.
    if yaml.contains("<secret>") || yaml.contains("/...") {
        return;
    }
    match parse("shown.yaml", &yaml, &|_| None) {
        Ok(again) => assert_eq!(again, config, "{yaml}"),
        Err(problems) => panic!("what is shown does not parse: {problems}\n{yaml}"),
    }
});
