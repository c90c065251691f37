//! `check` as the real program: it exits with 2 where a start would be refused, and with 0 and a
//! message where it would warn.

use std::process::Command;

use crate::support::folder::Folder;
use serde_json::Value;

/// Exit code, standard output and standard error of `check` on a file, run in the file's folder
/// with an empty environment.
fn check(file: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_aliyun-task-exporter"));
    let folder = std::path::Path::new(file).parent().unwrap();
    let program = program
        .arg("check")
        .args(arguments)
        .args(["--config.file", file])
        .env_clear()
        .current_dir(folder);
    let output = program.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn json(file: &str, arguments: &[&str]) -> (i32, Value) {
    let (code, said, _) = check(file, &[arguments, &["--format", "json"]].concat());
    (code, serde_json::from_str(&said).unwrap())
}

const SERVER: &str = "swas: {servers: [{id: ace1, region: cn-hangzhou, name: web}]}\n";

#[test]
fn what_a_start_warns_of_is_printed_and_nothing_is_left_behind() {
    let folder = Folder::new();
    let file = folder.write("config.yaml", &SERVER.replace("cn-hangzhou", "cn-hangzou"));
    for arguments in [&[] as &[&str], &["--estimate"]] {
        let (code, said, told) = check(&file, arguments);
        assert_eq!((code, &*told), (0, ""), "{said}");
        assert!(
            said.contains("\nwarning: SWAS has no public endpoint in region cn-hangzou that"),
            "{said}"
        );
    }
    assert_eq!(folder.names(), ["config.yaml"]);
}

#[test]
fn a_program_is_told_the_same_in_a_shape_of_its_own() {
    let folder = Folder::new();
    let file = folder.write("good.yaml", SERVER);
    let (code, good) = json(&file, &[]);
    let target = serde_json::json!({
        "kind": "swas_invocations", "region_id": "cn-hangzhou", "target": "ace1", "account": "default", "name": "web",
    });
    let wanted = serde_json::json!({
        "ok": true, "problems": [], "warnings": [], "notes": [], "targets": [target], "estimate": null,
    });
    assert_eq!((code, good), (0, wanted));

    let file = folder
        .write("odd.yaml", &(SERVER.replace("cn-hangzhou", "xx-1") + "metrics: {max_series: 3}\n"));
    let (code, odd) = json(&file, &[]);
    assert_eq!(
        (code, odd["ok"].clone(), odd["warnings"].as_array().unwrap().len()),
        (0, true.into(), 2),
        "{odd}"
    );
    let (code, costly) = json(&file, &["--estimate"]);
    assert_eq!(
        (code, &costly["ok"], &costly["estimate"]["kept"]),
        (1, &false.into(), &false.into()),
        "{costly}"
    );
    assert_eq!(
        costly["estimate"]["problems"][0],
        "there are at least 27 series, and metrics.max_series is 3"
    );
    assert_eq!(
        (&costly["problems"], costly["warnings"].as_array().unwrap().len()),
        (&serde_json::json!([]), 1)
    );

    let file = folder.write("bad.yaml", &(SERVER.to_owned() + "pol: {}\n"));
    let (code, bad) = json(&file, &["--estimate"]);
    let problem = serde_json::json!({
        "file": file, "line": 2, "path": "pol", "message": "unknown key, did you mean \"poll\"?",
    });
    assert_eq!(
        (code, &bad["ok"], &bad["problems"]),
        (2, &false.into(), &serde_json::json!([problem]))
    );
    let file =
        folder.write("ca.yaml", &(SERVER.to_owned() + "accounts: [{ca_file: /nonexistent}]\n"));
    let (code, bad) = json(&file, &[]);
    let message = bad["problems"][0]["message"].as_str().unwrap();
    assert!(
        code == 2 && message.starts_with("account \"default\": ca_file /nonexistent: No such file"),
        "{bad}"
    );
}

#[test]
fn the_first_twenty_problems_are_told_and_how_many_more() {
    let folder = Folder::new();
    let keys: String = (0..100_000).map(|number| format!("key{number}: 1\n")).collect();
    let file = folder.write("config.yaml", &(keys + SERVER));
    let (code, said, told) = check(&file, &[]);
    assert_eq!((code, &*said, told.lines().count()), (2, "", 21));
    assert!(
        told.ends_with("config.yaml:20: key19: unknown key\nand 99980 more problems\n"),
        "{told}"
    );
    assert_eq!(json(&file, &[]).1["problems"].as_array().unwrap().len(), 100_000);
}

#[test]
fn a_file_without_end_is_not_read_for_ever() {
    let folder = Folder::new();
    for (file, wanted) in [
        ("/dev/zero".to_owned(), "it is larger than 8 MiB"),
        (folder.path().display().to_string(), "it is a folder, not a file"),
        (folder.write("utf16.yaml", ""), ""),
    ] {
        if wanted.is_empty() {
            std::fs::write(&file, b"\xff\xfes\0w\0").unwrap();
        }
        let (code, _, told) = check(&file, &[]);
        let wanted = if wanted.is_empty() { "it is UTF-16: save it as UTF-8" } else { wanted };
        assert_eq!(
            (code, told),
            (2, format!("{file}: the configuration file cannot be read: {wanted}\n"))
        );
    }
    let file =
        folder.write("config.yaml", &(SERVER.to_owned() + "accounts: [{ca_file: /dev/zero}]\n"));
    let (code, _, told) = check(&file, &[]);
    assert_eq!(
        (code, &*told),
        (2, "account \"default\": ca_file /dev/zero: it is a device, not a regular file\n")
    );
}

#[test]
fn a_byte_order_mark_before_the_configuration_is_no_mistake() {
    let folder = Folder::new();
    let file = folder.write("config.yaml", &format!("\u{feff}{SERVER}"));
    let (code, said, told) = check(&file, &[]);
    assert_eq!((code, &*told), (0, ""), "{said}");
}
