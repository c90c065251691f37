//! The credentials file of the SDKs and the file of the `aliyun` command line. The first line is
//! the name of the section or profile, the rest is the file.

#![no_main]

use aliyun_task_exporter::aliyun::credentials::{Credential, key_of_profile, key_of_section};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let text = &*String::from_utf8_lossy(data);
    let (name, file) = text.split_once('\n').unwrap_or(("default", text));
    check(key_of_section(file, name), name, &secrets_of_ini(file));
    check(key_of_profile(file, name), name, &secrets_of_json(file));
});

fn check(key: Result<Credential, String>, name: &str, secrets: &[String]) {
    match key {
        Ok(key) => {
            let token = key.security_token.as_ref().map(|token| token.expose());
            let parts = [Some(&*key.access_key_id), Some(key.access_key_secret.expose()), token];
            for part in parts.into_iter().flatten() {
                // It goes into a header, and the cloud has no such keys.
                assert!(part.bytes().all(|byte| byte.is_ascii_graphic()), "{part:?}");
                assert!(!part.contains(['"', '\'', '`']), "{part:?}");
            }
            assert!(!key.access_key_id.is_empty() && !key.access_key_secret.expose().is_empty());
            let printed = format!("{key:?}");
            assert!(!printed.contains(&key.access_key_id) || key.access_key_id.len() < 10);
        }
        Err(problem) => {
            assert!(!problem.is_empty());
            // Without the name, which is shown.
            let shown = problem.replace(&format!("{name:?}"), "").replace(name, "");
            for secret in secrets.iter().filter(|secret| !name.contains(&***secret)) {
                assert!(!shown.contains(&**secret), "{secret:?} in {problem:?}");
            }
        }
    }
}

/// Whether a value is long enough to be told from words of the problem.
fn is_secret(value: &str) -> bool {
    value.len() >= 16 && !value.contains(' ')
}

fn secrets_of_ini(file: &str) -> Vec<String> {
    let values = file.lines().filter_map(|line| {
        let (key, value) = line.split_once(['=', ':'])?;
        key.to_lowercase().contains("secret").then(|| value.trim().to_owned())
    });
    values.filter(|value| is_secret(value)).collect()
}

fn secrets_of_json(file: &str) -> Vec<String> {
    let Ok(file) = serde_json::from_str::<Value>(file) else { return Vec::new() };
    let profiles = file["profiles"].as_array().cloned().unwrap_or_default();
    let secrets = profiles.iter().flat_map(|profile| {
        ["access_key_secret", "sts_token"].map(|field| profile[field].as_str().map(str::to_owned))
    });
    secrets.flatten().filter(|value| is_secret(value)).collect()
}
