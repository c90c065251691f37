#![cfg(test)]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use redb::backends::InMemoryBackend;
use redb::{Database, StorageBackend, TableDefinition};
use tempfile::TempDir;

use super::content::{self, Content};
use super::file::{self, File};
use super::tables::{self, Batch, ENTRIES, builder};
use super::{Candidate, Contents, Copied, Error, Remark, State, encode};
use crate::target::{Kind, TargetId};

/// A folder that exists as long as the test.
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.path("state.redb")
    }

    /// Every file and its bytes.
    pub(super) fn all(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap());
        let entries = entries.filter(|entry| entry.file_type().unwrap().is_file());
        entries
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
            })
            .collect()
    }

    fn set_aside(&self) -> usize {
        self.all().keys().filter(|name| name.contains(".damaged-")).count()
    }
}

fn id(name: &str) -> TargetId {
    TargetId { kind: Kind::EhpcTasks, id: name.into() }
}

fn ids(names: &[&str]) -> HashSet<TargetId> {
    names.iter().map(|name| id(name)).collect()
}

fn commit(state: &mut State<String>, name: &str, memory: &str) -> bool {
    state.commit(vec![(id(name), encode(&memory).unwrap())])
}

/// What the state file contains for these targets.
fn held(folder: &Folder, names: &[&str]) -> Vec<Option<String>> {
    let mut state = State::<String>::open(folder.file()).unwrap();
    names.iter().map(|name| state.restore(&id(name))).collect()
}

fn some(memory: &str) -> Option<String> {
    Some(memory.to_owned())
}

/// A complete, closed state file with one entry, `a`.
fn made(folder: &Folder) -> Vec<u8> {
    let mut state = State::open(folder.file()).unwrap();
    assert!(commit(&mut state, "a", "alpha"));
    drop(state);
    std::fs::read(folder.file()).unwrap()
}

/// What a check reports; a warning is marked as one.
fn check(path: &std::path::Path) -> Result<Option<String>, Error> {
    let said = |remark| match remark {
        Remark::Warning(warning) => format!("warning: {warning}"),
        Remark::Note(note) => note,
    };
    Ok(super::check(path)?.map(said))
}

/// A start and a check are refused, and change nothing.
fn refused(folder: &Folder) -> Error {
    let before = folder.all();
    let told = check(&folder.file()).unwrap_err().to_string();
    let error = State::<String>::open(folder.file()).unwrap_err();
    assert_eq!(error.to_string(), told);
    assert!(folder.all() == before, "{told}");
    error
}

#[test]
fn in_memory_a_parked_target_is_given_back_once_and_forgotten_in_time() {
    let mut state = State::in_memory();
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    state.park(vec![(id("a"), 7), (id("b"), 8)], hours(1));
    assert_eq!((state.restore(&id("a")), state.restore(&id("a"))), (Some(7), None));
    state.purge(&ids(&[]), hours(2), hours(2));
    state.park(vec![(id("a"), 7)], hours(2));
    state.purge(&ids(&[]), hours(3), hours(2));
    assert_eq!((state.restore(&id("a")), state.restore(&id("b"))), (Some(7), None));
}

#[test]
fn what_was_committed_outlives_the_process_and_an_unreadable_entry_harms_only_itself() {
    let folder = Folder::new();
    let path = folder.file();
    let mut state = State::<String>::open(&path).unwrap();
    state.commit(vec![(id("a"), encode(&"alpha").unwrap()), (id("b"), encode(&"beta").unwrap())]);
    state.save("ceilings", &vec![1, 2]);
    drop(state);
    let mut numbers = State::<Vec<u64>>::open(&path).unwrap();
    assert_eq!(numbers.restore(&id("a")), None);
    assert_eq!(numbers.load::<Vec<u64>>("ceilings"), Some(vec![1, 2]));
    drop(numbers);
    assert_eq!(held(&folder, &["b", "c"]), [some("beta"), None]);
}

#[test]
fn the_file_is_for_its_owner_only() {
    let folder = Folder::new();
    let mode = || std::fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777;
    made(&folder);
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(folder.file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(held(&folder, &["a"]), [some("alpha")]);
    assert_eq!(mode(), 0o600, "it is tightened");
}

#[test]
fn what_is_no_regular_file_is_refused_by_name() {
    for (name, path) in [("device", "/dev/null"), ("device", "/dev/zero"), ("folder", "/dev")] {
        let error = State::<String>::open(path).unwrap_err();
        assert!(
            error.is_of_configuration()
                && error.to_string().contains(&format!("{path} is a {name}")),
            "{error}"
        );
        assert_eq!(check(path.as_ref()).unwrap_err().to_string(), error.to_string());
    }
    let folder = Folder::new();
    let pipe = std::process::Command::new("mkfifo").arg(folder.file()).status().unwrap();
    assert!(pipe.success());
    let error = refused(&folder).to_string();
    assert!(error.contains("state.redb is a named pipe"), "{error}");
    std::fs::remove_file(folder.file()).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.file()).unwrap();
    assert!(refused(&folder).to_string().contains("state.redb is a socket"));
}

#[test]
fn what_is_not_a_database_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    let state = made(&folder);
    let mut without_magic = state.clone();
    without_magic[0] = b'R';
    let sqlite = [b"SQLite format 3\0".as_slice(), &[0; 5000]].concat();
    let late = [vec![0; 3 << 20], vec![1]].concat();
    for bytes in [b"r".to_vec(), b"accounts: []\n".to_vec(), sqlite, without_magic, late] {
        std::fs::write(folder.file(), bytes).unwrap();
        let error = refused(&folder);
        assert!(matches!(error, Error::NotOurs { .. }), "{error}");
        assert!(error.to_string().contains("give state.path a file of its own"), "{error}");
    }
}

#[test]
fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    const TABLE: TableDefinition<'_, u64, u64> = TableDefinition::new("theirs");
    let folder = Folder::new();
    let database = Database::create(folder.file()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TABLE).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(refused(&folder).to_string().contains("is a database of another program"));
    let mut old = std::fs::read(folder.file()).unwrap();
    old[64] = 2;
    old[192] = 2;
    std::fs::write(folder.file(), old).unwrap();
    assert!(refused(&folder).to_string().contains("is a database of another program"));
}

#[test]
fn an_empty_file_one_of_zeros_and_one_never_finished_are_begun() {
    let folder = Folder::new();
    let mut unfinished = made(&folder);
    unfinished[..9].fill(0);
    unfinished[content::HEADER_BYTES..].fill(0);
    for bytes in [vec![], vec![0], vec![0; 4096], vec![0; (5 << 20) + 7], unfinished] {
        let size = bytes.len();
        std::fs::write(folder.file(), bytes).unwrap();
        let before = folder.all();
        let note = check(&folder.file()).unwrap().unwrap();
        assert!(
            note.starts_with("warning: ")
                && note.contains("holds no state")
                && folder.all() == before,
            "{size}: {note}"
        );
        let mut state = State::open(folder.file()).unwrap();
        assert!(commit(&mut state, "a", "alpha"));
        drop(state);
        assert_eq!(held(&folder, &["a"]), [some("alpha")], "{size}");
        assert_eq!(folder.all().len(), 1, "{size}");
    }
}

#[test]
fn what_is_ours_and_damaged_is_set_aside_each_under_a_name_of_its_own() {
    let folder = Folder::new();
    let whole = made(&folder);
    for (number, damage) in [(1, 64..4096), (2, 9..320), (3, 4096..whole.len())] {
        let mut damaged = whole.clone();
        damaged[damage].fill(0x5a);
        std::fs::write(folder.file(), &damaged).unwrap();
        let note = check(&folder.file()).unwrap().unwrap();
        assert!(
            note.starts_with("warning: ")
                && note.contains("is damaged (")
                && folder.set_aside() == number - 1,
            "{note}"
        );
        assert_eq!(held(&folder, &["a"]), [None]);
        assert_eq!(folder.set_aside(), number);
        assert!(folder.all().values().any(|bytes| *bytes == damaged), "nothing of it is lost");
    }
    std::fs::write(folder.file(), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(held(&folder, &["a"]), [None]);
    assert_eq!(folder.set_aside(), 4);
}

#[test]
fn a_damaged_file_behind_a_link_is_set_aside_where_it_is() {
    let folder = Folder::new();
    let volume = Folder::new();
    symlink(volume.file(), folder.file()).unwrap();
    let mut damaged = made(&folder);
    assert_eq!(std::fs::read(volume.file()).unwrap(), damaged, "a link that leads to nothing yet");
    damaged[64..].fill(0x5a);
    std::fs::write(volume.file(), &damaged).unwrap();
    assert_eq!(held(&folder, &["a"]), [None]);
    assert_eq!((folder.set_aside(), volume.set_aside()), (0, 1));
    let mut state = State::open(folder.file()).unwrap();
    assert!(commit(&mut state, "a", "alpha"));
    std::fs::remove_file(volume.file()).unwrap();
    state.look();
    assert!(
        volume.file().is_file() && folder.file().is_symlink(),
        "it is written again where the link leads"
    );
    drop(state);
    assert_eq!(held(&folder, &["a"]), [some("alpha")]);
}

#[test]
fn an_older_version_is_read_and_a_newer_one_left_untouched() {
    let folder = Folder::new();
    let version = |version: &str| {
        let mut file = File::open(&folder.file()).unwrap();
        let entries = vec![("version".to_owned(), version.as_bytes().to_vec())];
        file.write(&Batch { entries, ..Batch::default() }).unwrap();
    };
    let whole = made(&folder);
    version("0");
    assert!(check(&folder.file()).unwrap().unwrap().contains("is of an older version"));
    assert_eq!(held(&folder, &["a"]), [some("alpha")]);
    assert_eq!(check(&folder.file()).unwrap(), None, "it is of this version now");
    version("2");
    let error = refused(&folder);
    assert!(matches!(&error, Error::Newer { what, .. } if what.contains("version 2")), "{error}");
    let format = |format: u8| {
        let mut bytes = whole.clone();
        bytes[64] = format;
        bytes[192] = format;
        std::fs::write(folder.file(), bytes).unwrap();
    };
    format(4);
    let error = refused(&folder);
    assert!(matches!(&error, Error::Newer { what, .. } if what.contains("format 4")), "{error}");
    format(2);
    assert!(check(&folder.file()).unwrap().unwrap().contains("format 2 is too old to be read"));
    assert_eq!(held(&folder, &["a"]), [None]);
    assert_eq!(folder.set_aside(), 1);
    format(200);
    assert_eq!(held(&folder, &["a"]), [None]);
    assert_eq!(folder.set_aside(), 2, "no version, but damage");
}

#[test]
fn a_folder_that_is_not_there_and_a_file_that_is_no_folder_are_told() {
    let folder = Folder::new();
    made(&folder);
    for path in [folder.path("no/such/state.redb"), folder.file().join("state.redb")] {
        let told = check(&path).unwrap_err().to_string();
        assert!(matches!(State::<String>::open(&path).unwrap_err(), Error::Io { .. }));
        assert!(told.contains(&*path.to_string_lossy()), "{told}");
    }
    assert_eq!(folder.all().len(), 1);
}

#[test]
fn a_check_makes_nothing() {
    let folder = Folder::new();
    assert_eq!(check(&folder.file()).unwrap(), None);
    assert_eq!(folder.all(), BTreeMap::new());
    let whole = made(&folder);
    let changed = || std::fs::metadata(folder.file()).unwrap().modified().unwrap();
    let before = changed();
    assert_eq!(check(&folder.file()).unwrap(), None);
    assert_eq!((changed(), folder.all().into_values().collect::<Vec<_>>()), (before, vec![whole]));
}

#[test]
fn a_file_in_use_is_refused_noted_and_waited_for_and_not_changed_by_that() {
    let folder = Folder::new();
    let path = folder.file();
    let mut state = State::open(&path).unwrap();
    assert!(commit(&mut state, "a", "alpha"));
    let mut candidate = Candidate::new(&path);
    let before = folder.all();
    assert!(matches!(State::<String>::open(&path), Err(Error::InUse { .. })));
    assert!(check(&path).unwrap().unwrap().contains("is in use by a running exporter"));
    assert!(matches!(candidate.take::<String>(), Err(Error::InUse { .. })));
    assert!(folder.all() == before);
    assert!(commit(&mut state, "a", "beta"), "nothing has disturbed it");
    drop(state);
    let mut state = candidate.take::<String>().unwrap();
    assert_eq!(state.restore(&id("a")), some("beta"));
    assert!(matches!(State::<String>::open(&path), Err(Error::InUse { .. })));
}

#[test]
fn a_file_that_was_deleted_is_written_again_with_all_that_it_held() {
    let folder = Folder::new();
    let mut state = State::<String>::open(folder.file()).unwrap();
    assert!(commit(&mut state, "a", "alpha"));
    state.park(vec![(id("gone"), "parked".into())], Duration::from_secs(5));
    for round in ["one", "two"] {
        std::fs::remove_file(folder.file()).unwrap();
        assert!(commit(&mut state, "b", round) && state.is_partial(), "who commits is told");
        state.made_whole();
        assert!(commit(&mut state, "b", round) && !state.is_partial(), "once");
    }
    std::fs::remove_file(folder.file()).unwrap();
    state.look();
    assert!(folder.file().exists(), "also if there is nothing to write");
    std::fs::remove_file(folder.file()).unwrap();
    std::fs::write(folder.file(), "").unwrap();
    state.look();
    assert!(state.trouble().is_none(), "and where an empty file took its place");
    drop(state);
    assert_eq!(held(&folder, &["a", "b", "gone"]), [some("alpha"), some("two"), some("parked")]);
    let mut state = State::<String>::open(folder.file()).unwrap();
    state.purge(&ids(&[]), Duration::from_secs(9), Duration::from_secs(4));
    assert_eq!(state.restore(&id("gone")), None, "when it went is known, too");
}

#[test]
fn a_file_that_was_replaced_is_left_alone_until_it_is_gone() {
    let folder = Folder::new();
    let mut state = State::<String>::open(folder.file()).unwrap();
    assert!(commit(&mut state, "a", "alpha"));
    let other = Folder::new();
    let backup = made(&other);
    for theirs in [b"theirs".to_vec(), backup] {
        std::fs::write(folder.path("new"), &theirs).unwrap();
        std::fs::rename(folder.path("new"), folder.file()).unwrap();
        for _ in 0..2 {
            assert!(!commit(&mut state, "b", "beta"));
            assert!(matches!(state.trouble(), Some(Error::Replaced { .. })));
        }
        assert_eq!(std::fs::read(folder.file()).unwrap(), theirs);
        std::fs::remove_file(folder.file()).unwrap();
        assert!(
            commit(&mut state, "c", "gamma") && state.is_partial(),
            "b is missing until it is committed again"
        );
        assert!(state.trouble().is_none());
        assert_eq!(folder.all().len(), 1, "nothing else is left");
    }
    // What a kill may leave while the file is recreated.
    std::fs::write(folder.path("state.redb.new"), "a part").unwrap();
    std::fs::remove_file(folder.file()).unwrap();
    assert!(commit(&mut state, "c", "delta"));
    assert_eq!(folder.all().len(), 1);
    std::fs::remove_file(folder.file()).unwrap();
    std::fs::create_dir(folder.file()).unwrap();
    state.look();
    assert!(matches!(state.trouble(), Some(Error::Replaced { .. })));
    std::fs::remove_dir(folder.file()).unwrap();
    drop(state);
    assert!(folder.all().is_empty(), "what is closed writes nothing elsewhere");
}

#[test]
fn a_file_that_another_program_has_written_to_is_not_written_on() {
    let folder = Folder::new();
    let mut state = State::<String>::open(folder.file()).unwrap();
    assert!(commit(&mut state, "a", "alpha"));
    let copy = std::fs::read(folder.file()).unwrap();
    assert!(commit(&mut state, "a", "beta"));
    // As after `cp backup state.redb`: the same file, with other content of the same size.
    std::fs::write(folder.file(), &copy).unwrap();
    assert!(!commit(&mut state, "b", "beta"));
    assert!(
        matches!(state.trouble(), Some(Error::Replaced { what, .. }) if what.contains("written to by another"))
    );
    assert_eq!(std::fs::read(folder.file()).unwrap(), copy);
    // As after `: > state.redb`.
    std::fs::write(folder.file(), "").unwrap();
    assert!(
        commit(&mut state, "b", "beta") && state.is_partial(),
        "what is known is to be committed again"
    );
    drop(state);
    assert_eq!(held(&folder, &["a", "b"]), [None, some("beta")]);
}

#[test]
fn who_waits_goes_on_waiting_while_the_file_is_deleted_and_written_again() {
    let folder = Folder::new();
    let mut state = State::<String>::open(folder.file()).unwrap();
    assert!(commit(&mut state, "a", "alpha"));
    let mut candidate = Candidate::new(folder.file());
    let is_waiting =
        |candidate: &mut Candidate| matches!(candidate.take::<String>(), Err(Error::InUse { .. }));
    assert!(is_waiting(&mut candidate));
    for _ in 0..3 {
        std::fs::remove_file(folder.file()).unwrap();
        assert!(is_waiting(&mut candidate) && !folder.file().exists(), "it makes none of its own");
        state.look();
        assert!(is_waiting(&mut candidate) && is_waiting(&mut candidate));
    }
    // The other one ends before it notices.
    std::fs::remove_file(folder.file()).unwrap();
    drop(state);
    let mut state = candidate.take::<String>().unwrap();
    assert_eq!(state.restore(&id("a")), some("alpha"));
    state.look();
    assert!(folder.file().exists());
    drop(state);
    assert_eq!(held(&folder, &["a"]), [some("alpha")]);
}

#[test]
fn what_is_gone_for_long_enough_is_forgotten_and_nothing_else() {
    let folder = Folder::new();
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    let mut state = State::<String>::open(folder.file()).unwrap();
    for name in ["a", "b", "c", "d"] {
        assert!(commit(&mut state, name, name));
    }
    state.save("ceilings", &1);
    state.park(vec![(id("a"), "a".into()), (id("b"), "b".into())], days(1));
    state.purge(&ids(&["c", "d"]), days(30), days(30));
    assert_eq!(state.restore(&id("a")), some("a"), "29 days");
    state.returned(&[id("b")]);
    state.purge(&ids(&["b", "c", "d"]), days(31), days(30));
    assert_eq!((state.restore(&id("a")), state.restore(&id("b"))), (None, some("b")));
    // It goes again: the time that it was gone before no longer counts.
    state.park(vec![(id("b"), "b".into())], days(40));
    state.purge(&ids(&["c", "d"]), days(69), days(30));
    assert_eq!(state.restore(&id("b")), some("b"));
    drop(state);
    // What a configuration removed while nothing ran counts from then on, unless it was already
    // counted.
    let mut state = State::<String>::open(folder.file()).unwrap();
    assert!(state.sweep(&ids(&["c"]), days(69)));
    state.purge(&ids(&["c"]), days(70), days(30));
    assert_eq!((state.restore(&id("b")), state.restore(&id("d"))), (None, some("d")));
    state.purge(&ids(&["c"]), days(99), days(30));
    assert_eq!((state.restore(&id("c")), state.restore(&id("d"))), (some("c"), None));
    state.purge(&ids(&["c"]), days(1000), days(30));
    assert_eq!((state.restore(&id("c")), state.load("ceilings")), (some("c"), Some(1)));
}

#[test]
fn the_file_shrinks_when_targets_are_forgotten() {
    let folder = Folder::new();
    let mut state = State::<String>::open(folder.file()).unwrap();
    let memory = encode(&"m".repeat(8000)).unwrap();
    let size = || std::fs::metadata(folder.file()).unwrap().len();
    let round = |state: &mut State<String>, round: u64| {
        let names: Vec<TargetId> = (0..1000).map(|name| id(&format!("{round}-{name}"))).collect();
        state.commit(names.iter().map(|name| (name.clone(), memory.clone())).collect());
        state.park(
            names.into_iter().map(|name| (name, "m".repeat(8000))).collect(),
            Duration::from_secs(round),
        );
    };
    round(&mut state, 0);
    let first = size();
    for number in 1..4 {
        round(&mut state, number);
    }
    let grown = size();
    assert!(grown > 3 * first, "{first} then {grown}");
    state.purge(&ids(&[]), Duration::from_secs(100), Duration::from_secs(98));
    assert_eq!(state.restore(&id("1-7")), None);
    assert!(state.restore(&id("3-7")).is_some());
    assert!(size() < grown * 2 / 3, "{grown} then {}", size());
    state.purge(&ids(&[]), Duration::from_secs(1000), Duration::from_secs(98));
    assert!(size() < 2 << 20, "{grown} then {}", size());
    drop(state);
    assert_eq!(held(&folder, &["3-7"]), [None]);
}

/// Storage that records what is done to it, and is a full disk while that is set.
#[derive(Clone, Debug, Default)]
struct Noted {
    memory: Arc<InMemoryBackend>,
    done: Arc<Mutex<Vec<Done>>>,
}

#[derive(Clone, Debug)]
enum Done {
    Write(u64, Vec<u8>),
    Length(u64),
    Sync,
}

impl Noted {
    fn note(&self, done: Done) {
        self.done.lock().unwrap().push(done);
    }
}

impl StorageBackend for Noted {
    fn len(&self) -> std::io::Result<u64> {
        StorageBackend::len(&*self.memory)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        StorageBackend::read(&*self.memory, offset, out)
    }

    fn set_len(&self, length: u64) -> std::io::Result<()> {
        self.note(Done::Length(length));
        self.memory.set_len(length)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.note(Done::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.note(Done::Write(offset, data.to_vec()));
        StorageBackend::write(&*self.memory, offset, data)
    }
}

/// The file after some of the recorded operations.
fn replayed(done: &[Done]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for done in done {
        match done {
            Done::Length(length) => bytes.resize(usize::try_from(*length).unwrap(), 0),
            Done::Write(offset, data) => {
                let offset = usize::try_from(*offset).unwrap();
                bytes[offset..offset + data.len()].copy_from_slice(data);
            }
            Done::Sync => {}
        }
    }
    bytes
}

#[test]
fn forgetting_and_shrinking_may_be_killed_at_any_moment() {
    let storage = Noted::default();
    let mut database = builder().create_with_backend(storage.clone()).unwrap();
    let entries = |range: std::ops::Range<u32>| {
        range.map(|name| {
            (format!("ehpc_tasks/{name}"), vec![u8::try_from(name % 251).unwrap(); 3000])
        })
    };
    let version = ("version".to_owned(), b"1".to_vec());
    let all = entries(0..200).chain([version]).collect();
    tables::write(&database, &Batch { entries: all, ..Batch::default() }).unwrap();
    let before = storage.done.lock().unwrap().len();
    let dropped = entries(0..150).map(|(key, _)| key).collect();
    tables::write(&database, &Batch { dropped, ..Batch::default() }).unwrap();
    assert!(database.compact().unwrap());
    drop(database);
    let done = storage.done.lock().unwrap().clone();
    let folder = Folder::new();
    let mut random = SmallRng::seed_from_u64(3);
    let mut whole = 0;
    let mut shrunk = 0;
    for kill in before..=done.len() {
        let mut seen = done[..kill].to_vec();
        if random.random_bool(0.5) {
            // A power cut loses any of the writes since the last sync.
            let synced =
                seen.iter().rposition(|done| matches!(done, Done::Sync)).map_or(0, |at| at + 1);
            let mut place = 0;
            seen.retain(|done| {
                place += 1;
                place <= synced || matches!(done, Done::Length(_)) || random.random_bool(0.5)
            });
        }
        std::fs::write(folder.file(), replayed(&seen)).unwrap();
        let mut file = File::open(&folder.file()).unwrap();
        assert_eq!(folder.set_aside(), 0, "killed after {kill} of {}", done.len());
        for (key, bytes) in entries(150..200) {
            assert_eq!(file.read(&key).unwrap(), Some(bytes), "{key}, killed after {kill}");
        }
        let left = file.keys().unwrap().len();
        assert!([51, 201].contains(&left), "all or none is forgotten: {left}");
        whole += usize::from(left == 201);
        shrunk += usize::from(left == 51);
    }
    assert!(whole > 0 && shrunk > 10, "{whole} {shrunk}");
}

#[test]
fn a_whole_file_is_ours_and_is_not_taken_for_damaged_after_a_kill() {
    let folder = Folder::new();
    let mut state = State::<String>::open(folder.file()).unwrap();
    for name in 0..50 {
        assert!(commit(&mut state, &name.to_string(), "x"));
        // A kill leaves the file as it is.
        let copy = folder.path("copy");
        std::fs::copy(folder.file(), &copy).unwrap();
        assert_eq!(content::examine(&std::fs::File::open(copy).unwrap()).unwrap(), Content::Ours);
    }
    drop(state);
    assert_eq!(
        content::examine(&std::fs::File::open(folder.file()).unwrap()).unwrap(),
        Content::Ours
    );
    assert!(file::at(&folder.path("none")).unwrap().is_none());
    assert_eq!(
        ENTRIES.to_string().split('<').next(),
        Some("aliyun-task-exporter"),
        "the name stands in files"
    );
}

/// All that a state holds.
fn everything(state: &mut State<u32>) -> Batch {
    state.file.as_mut().unwrap().everything().unwrap()
}

/// Copies what has changed; returns how many bytes that took, if anything had.
fn copied(from: &mut State<u32>, to: &mut State<u32>) -> Option<usize> {
    match from.copy(to.copy_of()) {
        Copied::New(Contents { tag, bytes }) => {
            to.adopt(&bytes, &tag).unwrap();
            Some(bytes.len())
        }
        Copied::Same => None,
        Copied::Unreadable => panic!("it cannot be read"),
    }
}

#[test]
fn a_copy_is_what_was_copied_whatever_happens_in_between() {
    let folders = [Folder::new(), Folder::new()];
    let mut random = SmallRng::seed_from_u64(7);
    let mut leader: State<u32> = State::open(folders[0].file()).unwrap();
    let mut standby: State<u32> = State::open(folders[1].file()).unwrap();
    standby.commit(vec![(id("of its own"), encode(&7).unwrap())]);
    for step in 0..300_u32 {
        let name = random.random_range(0..40).to_string();
        let running = Duration::from_secs(u64::from(step));
        match random.random_range(0..7) {
            0..3 => assert!(leader.commit(vec![(id(&name), encode(&step).unwrap())])),
            3 => leader.park(vec![(id(&name), step)], running),
            4 => leader.returned(&[id(&name)]),
            5 => leader.purge(&HashSet::new(), running, Duration::from_secs(20)),
            // A new process knows nothing of what was copied before.
            _ if step % 5 == 0 => {
                drop(leader);
                leader = State::open(folders[0].file()).unwrap();
            }
            _ => {
                drop(standby);
                standby = State::open(folders[1].file()).unwrap();
            }
        }
        if random.random_bool(0.4) {
            copied(&mut leader, &mut standby);
            assert_eq!(everything(&mut standby), everything(&mut leader), "step {step}");
            assert_eq!(copied(&mut leader, &mut standby), None, "nothing is sent twice");
        }
    }
    assert!(standby.knows_targets().unwrap());
}

#[test]
fn only_what_has_changed_is_copied_and_a_change_of_another_state_is_refused() {
    let folders = [Folder::new(), Folder::new(), Folder::new()];
    let [mut leader, mut standby, mut other] =
        folders.each_ref().map(|folder| State::<u32>::open(folder.file()).unwrap());
    assert!(!standby.knows_targets().unwrap());
    let many = (0..1000).map(|number: u32| (id(&number.to_string()), encode(&number).unwrap()));
    assert!(leader.commit(many.collect()));
    let whole = copied(&mut leader, &mut standby).unwrap();
    assert!(leader.commit(vec![(id("7"), encode(&8).unwrap())]));
    let Copied::New(change) = leader.copy(standby.copy_of()) else { panic!("there is a change") };
    assert!(change.bytes.len() * 100 < whole, "{} of {whole}", change.bytes.len());
    let told = other.adopt(&change.bytes, &change.tag).unwrap_err();
    assert_eq!(told, "it is a change of another state");
    standby.adopt(&change.bytes, &change.tag).unwrap();
    assert!(standby.adopt(&change.bytes, &change.tag).is_err(), "it was made already");
    assert_eq!(standby.copy_of(), None, "so the next one is whole");
    assert_eq!(copied(&mut leader, &mut standby), Some(whole));
    // What is damaged changes nothing.
    let before = everything(&mut standby);
    let Copied::New(all) = leader.copy(None) else { panic!("there is a state") };
    for end in [0, 1, all.bytes.len() / 2, all.bytes.len() - 1] {
        assert!(standby.adopt(&all.bytes[..end], &all.tag).is_err());
        assert_eq!(everything(&mut standby), before);
    }
    fs::write(folders[1].file(), "").unwrap();
    assert!(copied(&mut leader, &mut standby).is_some());
    assert_eq!(everything(&mut standby), everything(&mut leader), "it was emptied");
}
