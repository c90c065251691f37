//! Any text as the file of `--web.config.file`.

#![no_main]

use aliyun_task_exporter::config::parse_web_config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = &*String::from_utf8_lossy(data);
    let config = match parse_web_config("folder/web.yaml", text) {
        Ok(config) => config,
        Err(problems) => {
            assert!(!problems.0.is_empty());
            for problem in &problems.0 {
                let shown = problem.to_string();
                assert!(!shown.contains(char::is_control), "{shown:?}");
                let lines = text.split(['\n', '\r']).count() + 1;
                assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{shown}");
            }
            return;
        }
    };
    let printed = format!("{config:?}");
    for (name, hash) in &config.users {
        assert!(!name.contains(':'), "{name}");
        assert!((58..=60).contains(&hash.expose().len()), "{}", hash.expose());
        assert!(!printed.contains(hash.expose()));
    }
    if let Some(tls) = &config.tls {
        assert!(tls.min_version <= tls.max_version, "{tls:?}");
        assert!(tls.cipher_suites.len() <= text.len() && tls.curves.len() <= text.len());
    }
    if let Some(limit) = config.rate_limit {
        assert!(limit.burst > 0 && !limit.interval.is_zero());
    }
    assert!(config.headers.len() <= 5);
    assert!(config.headers.iter().flat_map(|header| &header.1).all(|value| !value.is_empty()));
});
