//! A sample of each operation for the tests. Every operation decodes every sample body, damaged at
//! random: nothing panics, and ids and names stay within their limits.

#![cfg(test)]

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

// Every operation, as `sample` needs them all.
use super::*;
use crate::action::{Action, operations};
use crate::model::{
    Command, CommandInvocation, DirectoryEntry, Invocation, InvocationResult, NodeResult,
    NodeStatuses, Page, Task,
};

/// Inserted into a body, besides pieces of itself.
const PIECES: [&[u8]; 16] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\0",
    b"\xff",
    b"\xb1\xb8",
    b"\\ud83d",
    b"1e999",
    b"null",
    b"\xef\xbb\xbf",
    b"\"InvokeId\":7,",
];

/// Number of damaged copies of a sample for its own operation, and for each other one.
const OWN: usize = 60;
const OTHER: usize = 2;

/// Ids that the samples in `tests/fixtures/api` are about.
pub(super) const CLUSTER: &str = "ehpc-hz-FYUr320001";
pub(super) const COMMAND: &str = "c-hz01v8x80o30002";
pub(super) const SERVER: &str = "ace0706b2ac4454d984295a942130001";
pub(super) const INVOCATION: &str = "t-bj02prjje650000";

/// The ids and names in an answer.
trait IdsAndNames {
    fn ids(&self) -> Vec<&str>;

    fn names(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl<T: IdsAndNames> IdsAndNames for Page<T> {
    fn ids(&self) -> Vec<&str> {
        self.items.iter().flat_map(T::ids).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.items.iter().flat_map(T::names).collect()
    }
}

impl IdsAndNames for Task {
    fn ids(&self) -> Vec<&str> {
        vec![&self.id]
    }
}

impl IdsAndNames for Arc<str> {
    fn ids(&self) -> Vec<&str> {
        vec![self]
    }
}

impl IdsAndNames for Command {
    fn ids(&self) -> Vec<&str> {
        vec![&self.id]
    }
}

impl IdsAndNames for NodeStatuses {
    fn ids(&self) -> Vec<&str> {
        self.nodes.keys().map(|id| &**id).collect()
    }
}

impl IdsAndNames for NodeResult {
    fn ids(&self) -> Vec<&str> {
        vec![&self.instance_id]
    }
}

impl IdsAndNames for DirectoryEntry {
    fn ids(&self) -> Vec<&str> {
        vec![&self.resource.id]
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.resource.name]
    }
}

impl IdsAndNames for Invocation {
    fn ids(&self) -> Vec<&str> {
        vec![&self.id]
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.command_name]
    }
}

impl IdsAndNames for InvocationResult {
    fn ids(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl IdsAndNames for CommandInvocation {
    fn ids(&self) -> Vec<&str> {
        let servers = self.servers.iter().map(|server| &*server.instance_id);
        servers.chain([&*self.id]).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.servers.iter().map(|server| &*server.invocation.command_name).collect()
    }
}

macro_rules! declare {
    ($($product:ident.$action:ident($name:ident) -> $answer:ty),+ $(,)?) => {
        /// An operation, and the smallest body that answers it, without the outer braces.
        pub(in crate::aliyun) fn sample(action: Action) -> (Operation, &'static str) {
            match action {
                $(Action::$name => {
                    let (operation, body) = $name::sample();
                    (operation.into(), body)
                })+
            }
        }

        /// Ids and names of an answer.
        fn ids_and_names(answer: &Answer) -> (Vec<&str>, Vec<&str>) {
            match answer {
                $(Answer::$name(answer) => (answer.ids(), answer.names()),)+
            }
        }
    };
}

operations!(declare);

fn samples() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/api");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let mut samples: Vec<_> = files
        .map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap()))
        .filter(|(name, _)| !name.starts_with('_'))
        .collect();
    samples.sort();
    samples
}

/// What the names of an operation's own samples start with.
fn prefix(action: Action) -> String {
    format!("{}_{}", action.product().label().to_lowercase(), action.name())
}

fn range(body: &[u8], random: &mut SmallRng) -> Range<usize> {
    let from = random.random_range(0..=body.len());
    from..(from + random.random_range(0..=64)).min(body.len())
}

/// Damages a body in one to four places. Most must stay readable as a whole, or the test would show
/// nothing.
fn damage(body: &mut Vec<u8>, random: &mut SmallRng) {
    for _ in 0..random.random_range(1..=4) {
        let place = range(body, random);
        match random.random_range(0..8) {
            0 => body.truncate(place.start),
            1 => _ = body.drain(place),
            2 => {
                let again = body[place.clone()].to_vec();
                body.splice(place.start..place.start, again);
            }
            3 if !place.is_empty() => body[place.start] ^= 1 << random.random_range(0..8),
            4 => {
                let long = "x".repeat(random.random_range(1..3000));
                body.splice(place.start..place.start, long.into_bytes());
            }
            _ => {
                let piece = PIECES[random.random_range(0..PIECES.len())];
                body.splice(place.start..place.start, piece.iter().copied());
            }
        }
    }
}

/// Decodes a body; returns whether that succeeded.
fn read(operation: &Operation, body: &[u8]) -> bool {
    let Ok(decoded) = operation.decode(body) else { return false };
    let decoded = decoded.cleaned(str::to_owned, true);
    let (ids, names) = ids_and_names(&decoded.value);
    let is_id = |id: &&str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        (1..=128).contains(&id.len()) && id.bytes().all(fits)
    };
    let is_name = |name: &&str| name.len() <= 128 && !name.contains(char::is_control);
    assert_eq!(ids.iter().find(|id| !is_id(id)), None);
    assert_eq!(names.iter().find(|name| !is_name(name)), None);
    assert!(
        decoded.unknown.len() <= 100 && decoded.unknown.iter().all(|(_, word)| word.len() <= 64)
    );
    true
}

#[test]
fn damaged_samples_never_panic_and_what_is_read_of_them_keeps_its_bounds() {
    let samples = samples();
    let mut random = SmallRng::seed_from_u64(10);
    let mut told = 0;
    let mut untold = 0;
    for action in Action::ALL {
        let (operation, _) = sample(*action);
        for (name, sample) in &samples {
            let times = if name.starts_with(&prefix(*action)) { OWN } else { OTHER };
            for _ in 0..times {
                let mut body = sample.clone();
                damage(&mut body, &mut random);
                match read(&operation, &body) {
                    true => told += 1,
                    false => untold += 1,
                }
            }
        }
    }
    assert!(told > 300 && untold > 300, "{told} were read, {untold} were not");
}

/// Fields that hold words of closed sets.
const WORDS: [&str; 9] = [
    "BusinessStatus",
    "CommandType",
    "ErrorCode",
    "InstanceInvokeStatus",
    "InvocationStatus",
    "InvokeRecordStatus",
    "InvokeStatus",
    "Status",
    "TaskType",
];

/// Puts `word` into each field of [`WORDS`].
fn say(word: &str, value: &mut Value) {
    match value {
        Value::Array(items) => {
            for item in items {
                say(word, item);
            }
        }
        Value::Object(fields) => {
            for (field, value) in fields {
                match WORDS.contains(&&**field) {
                    true => *value = word.into(),
                    false => say(word, value),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn an_unknown_word_is_cleaned_of_secrets_wherever_it_is_and_then_cut() {
    const SECRET: &str = "Hunter2-Planted";
    // Cut first, at 64 bytes, it would end in half a secret.
    let word = format!("{}{SECRET}{}", "x".repeat(58), "y".repeat(5000));
    let mut fields = BTreeSet::new();
    for action in Action::ALL {
        let (operation, _) = sample(*action);
        for (name, body) in samples() {
            if !name.starts_with(&prefix(*action)) {
                continue;
            }
            let mut body = serde_json::from_slice(&body).unwrap();
            say(&word, &mut body);
            // One file is a list of several.
            let Ok(decoded) = operation.decode(body.to_string().as_bytes()) else { continue };
            let has_words = !decoded.unknown.is_empty();
            assert_eq!(format!("{:?}", decoded.value).contains(SECRET), has_words, "{name}");
            fields.extend(decoded.unknown.iter().map(|(field, _)| *field));
            let decoded = decoded.cleaned(|text| text.replace(SECRET, "<secret>"), true);
            let shown = format!("{decoded:?}");
            assert!(!shown.contains("Hunt"), "{name}: {shown}");
            assert_eq!(shown.contains(&format!("{}<secre", "x".repeat(58))), has_words, "{name}");
            assert!(!shown.contains("<secret"), "{name}: {shown}");
        }
    }
    let last = |field: &&'static str| field.rsplit('.').next().unwrap();
    assert_eq!(fields.iter().map(last).collect::<BTreeSet<_>>(), BTreeSet::from(WORDS));
}
