//! Any bytes as the state file; mostly a good one with changes.
//!
//! Looking at it changes nothing, opening it never panics, and both say the same.

#![no_main]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use aliyun_task_exporter::state::{State, check, encode};
use aliyun_task_exporter::target::{Kind, TargetId};
use arbitrary::Unstructured;
use fuzzing::byte;
use libfuzzer_sys::fuzz_target;

const PAGE: usize = 4096;

/// A folder of this process, in memory where there is such a place: each run writes files.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = place.join(format!("aliyun-task-exporter-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("there is a folder for temporary files");
    folder
});

/// Good files: a new one, one with a few entries, and one with many.
static GOOD: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| [0, 3, 200].map(good));

fn good(entries: usize) -> Vec<u8> {
    let path = emptied().join("state.redb");
    let mut state = State::<String>::open(&path).expect("a new file can be made");
    for entry in 0..entries {
        let memory = encode(&"memory".repeat(1 + entry % 50)).expect("a text can be encoded");
        assert!(state.commit(vec![(id(&format!("id-{entry}")), memory)]));
    }
    let gone = vec![(id("gone"), "memory".to_owned())];
    state.park(gone, std::time::Duration::from_secs(7));
    drop(state);
    fs::read(path).expect("it is there")
}

fn id(name: &str) -> TargetId {
    TargetId { kind: Kind::EhpcTasks, id: Arc::from(name) }
}

/// The folder, without files.
fn emptied() -> &'static PathBuf {
    for entry in fs::read_dir(&*FOLDER).into_iter().flatten().flatten() {
        fs::remove_file(entry.path()).expect("it is ours");
    }
    &FOLDER
}

fuzz_target!(
    init: {
        // The database panics on some damaged files, and the exporter catches that. The fuzzer
        // must only hear of what is not caught.
        std::panic::set_hook(Box::new(|_| {}));
        LazyLock::force(&GOOD);
    },
    |data: &[u8]| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(data))) {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            eprintln!("panicked: {}", text.unwrap_or_default());
            std::process::abort();
        }
    }
);

fn run(data: &[u8]) {
    let file = file(data);
    let path = emptied().join("state.redb");
    fs::write(&path, &file).expect("a temporary file can be written");
    let checked = check(&path);
    assert!(fs::read(&path).expect("it stays") == file, "looking at it has changed it");
    let files = || fs::read_dir(&*FOLDER).expect("the folder stays").count();
    assert_eq!(files(), 1, "looking at it has made another file");

    let opened = State::<String>::open(&path);
    match (checked, opened) {
        (Err(_), Err(_)) => {
            assert!(fs::read(&path).expect("it stays") == file, "a refused file has changed");
            assert_eq!(files(), 1);
        }
        (Ok(_), Ok(mut state)) => {
            let _ = state.restore(&id("id-0"));
            let _ = state.restore(&id("gone"));
            let memory = encode(&"new").expect("a text can be encoded");
            assert!(state.commit(vec![(id("id-new"), memory)]), "{:?}", state.trouble());
            assert!(state.sweep(&Default::default(), std::time::Duration::from_secs(9)));
            state.returned(&[id("id-new")]);
            drop(state);
            let mut state = State::<String>::open(&path).expect("it was good");
            assert_eq!(state.restore(&id("id-new")).as_deref(), Some("new"));
        }
        (checked, opened) => panic!("check: {checked:?}, open: {:?}", opened.map(drop)),
    }
}

/// The bytes of the file.
fn file(data: &[u8]) -> Vec<u8> {
    let mut input = Unstructured::new(data);
    let mode = byte(&mut input);
    if mode % 8 == 7 {
        return input.take_rest().to_vec();
    }
    let mut file = GOOD[usize::from(mode) % GOOD.len()].clone();
    while !input.is_empty() && !file.is_empty() {
        let kind = byte(&mut input);
        let place = usize::from(input.arbitrary::<u16>().unwrap_or_default());
        let at = match kind % 4 {
            // The header decides most.
            0 | 1 => place % 320,
            // So does the start of each page.
            2 => (place >> 5) * PAGE + (place & 31),
            _ => place * 97,
        } % file.len();
        let value = byte(&mut input);
        match kind >> 4 {
            0..=7 => file[at] = value,
            8..=11 => file[at] ^= 1 << (value % 8),
            12 => file[at..].iter_mut().take(usize::from(value) * 16).for_each(|byte| *byte = 0),
            13 => file.truncate(at),
            14 => file.resize(file.len() + usize::from(value) * PAGE, 0),
            _ => {
                let from = usize::from(value) * PAGE % file.len();
                let end = (from + PAGE).min(file.len()).min(from + file.len() - at);
                file.copy_within(from..end, at);
            }
        }
    }
    file
}
