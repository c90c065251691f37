//! What the tests share: the pure chain, the exporter over TCP, worlds, and a reader of `/metrics`.

#![allow(unreachable_pub)]

pub mod exporter;
pub mod folder;
pub mod harness;
pub mod page;
pub mod truth;
pub mod worlds;

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

/// When the worlds of the pure tests start: half a minute into a minute.
pub fn start() -> Timestamp {
    "2024-05-06T07:00:30Z".parse().unwrap()
}

/// A number of seconds.
pub fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// A path inside the package.
pub fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file of the package.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(package(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a folder of the package whose name has this ending, in a stable order.
pub fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![package(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.to_string_lossy().ends_with(ending) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}
