//! What is logged of a panic: where it occurred, and nothing that was formatted into it.

use std::process::{Command, Output};

use aliyun_task_exporter::cli::Cli;
use aliyun_task_exporter::logging;
use clap::Parser;

const SECRET: &str = "LTAI5tCanary/of=a+panic";

/// Panics in a separate process, with the same logging as the program.
fn panicked(format: &str) -> Output {
    let test = "panics::the_log_tells_where_a_panic_was_and_nothing_that_was_formatted_into_it";
    let mut program = Command::new(std::env::current_exe().unwrap());
    program
        .args(["--exact", test, "--nocapture"])
        .env("PANIC_IN", format)
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap()
}

fn panic_in(format: &str) {
    let cli = Cli::parse_from(["aliyun-task-exporter", "--log.format", format]);
    let _logging = logging::start(&cli.log);
    let secret = std::hint::black_box(SECRET.to_owned());
    // The last but one cuts a character in two; its message quotes the text.
    let panics: [fn(String); 5] = [
        |secret| panic!("signing with {secret}"),
        |secret| assert_eq!(secret, "another"),
        |secret| secret.parse::<u8>().map_err(|_| secret).map(drop).unwrap(),
        |secret| assert!(!(secret + "é")[..=SECRET.len()].is_empty()),
        |_| panic!("a bug that a test has made"),
    ];
    for panic in panics {
        let secret = secret.clone();
        assert!(std::thread::spawn(move || panic(secret)).join().is_err());
    }
}

#[test]
fn the_log_tells_where_a_panic_was_and_nothing_that_was_formatted_into_it() {
    if let Ok(format) = std::env::var("PANIC_IN") {
        return panic_in(&format);
    }
    for format in ["logfmt", "json"] {
        let output = panicked(format);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{said}");
        assert!(!said.contains(SECRET) && !said.contains("Canary"), "{said}");
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("it panicked")).collect();
        assert_eq!(lines.len(), 5, "{said}");
        assert!(
            lines.iter().all(|line| line.contains(file!()) || line.contains("core/src/")),
            "{lines:#?}"
        );
        assert_eq!(lines.iter().filter(|line| line.contains("not shown")).count(), 4, "{lines:#?}");
        assert!(lines[4].contains("a bug that a test has made"), "{}", lines[4]);
    }
}
