//! Tells the program what it was built from: the commit, if there is one, and the compiler.

use std::process::Command;

fn main() {
    // Moves with every commit; a source archive has none.
    let head = output("git", &["rev-parse", "--git-path", "logs/HEAD"])
        .filter(|path| std::path::Path::new(path).exists());
    println!("cargo:rerun-if-changed={}", head.as_deref().unwrap_or("build.rs"));
    println!("cargo:rerun-if-env-changed=REVISION");
    let given = std::env::var("REVISION").ok().filter(|revision| !revision.is_empty());
    let revision = given.or_else(|| output("git", &["rev-parse", "--short=12", "HEAD"]));
    println!("cargo:rustc-env=BUILD_REVISION={}", revision.as_deref().unwrap_or("unknown"));
    let target = std::env::var("TARGET").unwrap_or_else(|_| "unknown".into());
    println!("cargo:rustc-env=BUILD_TARGET={target}");
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = output(&compiler, &["--version"]);
    let version = version.as_deref().and_then(|line| line.split(' ').nth(1)).unwrap_or("unknown");
    println!("cargo:rustc-env=BUILD_RUSTC={version}");
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
