//! The real state file, killed between any two transactions and in the middle of one.

use std::path::Path;

use aliyun_task_exporter::sim::Settings;
use aliyun_task_exporter::state::{State, encode};
use aliyun_task_exporter::target::TargetId;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::support::folder::Folder;
use crate::support::harness::Harness;

/// The database's page size.
const PAGE: usize = 4096;
/// Length of the database's magic. A file without it is not ours to touch.
const MAGIC: usize = 9;

/// An entry as the exporter writes it, with the number of its commit.
type Entry = (usize, Vec<u8>);

/// Number of damaged files in the folder.
fn set_aside(folder: &Folder) -> usize {
    folder.names().iter().filter(|name| name.contains(".damaged-")).count()
}

/// What an exporter commits while it follows a living world, and the file after each commit.
struct History {
    targets: Vec<TargetId>,
    commits: Vec<Vec<(TargetId, Vec<u8>)>>,
    files: Vec<Vec<u8>>,
}

impl History {
    fn live(commits: usize) -> Self {
        let folder = Folder::new();
        let mut harness =
            Harness::living(Settings { clusters: 1, servers: 3, ..Settings::default() })
                .with_state();
        let mut state = State::<Entry>::open(folder.state()).unwrap();
        let mut history = Self { targets: Vec::new(), commits: Vec::new(), files: Vec::new() };
        for number in 0..commits {
            harness.run_for(13);
            let entries = harness.entries();
            let numbered =
                entries.iter().map(|(id, entry)| (id.clone(), encode(&(number, entry)).unwrap()));
            assert!(state.commit(numbered.collect()));
            // A kill leaves the file as it is, without closing it.
            history.files.push(std::fs::read(folder.state()).unwrap());
            history.targets = entries.iter().map(|(id, _)| id.clone()).collect();
            history.commits.push(entries);
        }
        history
    }

    /// Which commit a file holds; `None` if it was set aside. Only whole commits may be read.
    fn read(&self, file: &[u8]) -> Option<usize> {
        let folder = Folder::new();
        std::fs::write(folder.state(), file).unwrap();
        let held = self.held(&folder.state());
        assert_eq!(set_aside(&folder), usize::from(held.is_none()));
        assert_eq!(self.held(&folder.state()), held, "the second time as the first");
        held
    }

    /// It opens, whatever the file contains.
    fn held(&self, path: &Path) -> Option<usize> {
        let mut state = State::<Entry>::open(path).unwrap();
        let entries: Vec<_> = self.targets.iter().map(|id| state.restore(id)).collect();
        let (number, _) = entries[0].clone()?;
        for (id, entry) in self.targets.iter().zip(entries) {
            let wanted = self.commits[number].iter().find(|(other, _)| other == id).unwrap();
            assert_eq!(
                entry,
                Some((number, wanted.1.clone())),
                "{id:?} is of another commit, or garbled"
            );
        }
        Some(number)
    }
}

/// The pages of one file, with some replaced by those of the other.
fn mixed(base: &[u8], other: &[u8], mut take: impl FnMut(usize) -> bool) -> Vec<u8> {
    let mut file = base.to_vec();
    file.resize(base.len().max(other.len()), 0);
    for page in (0..other.len().div_ceil(PAGE)).filter(|page| take(*page)) {
        let range = page * PAGE..((page + 1) * PAGE).min(other.len());
        file[range.clone()].copy_from_slice(&other[range]);
    }
    file
}

#[test]
fn a_kill_between_any_two_transactions_leaves_the_last_commit_whole() {
    let history = History::live(40);
    for (number, file) in history.files.iter().enumerate() {
        assert_eq!(history.read(file), Some(number));
    }
}

#[test]
fn a_kill_within_a_transaction_leaves_the_one_before_whole() {
    let history = History::live(30);
    let mut random = SmallRng::seed_from_u64(1);
    for number in 1..history.files.len() {
        let before = &history.files[number - 1];
        let after = &history.files[number];
        // Any of the new pages may be on the disk, except for the first: it names the commit and is
        // written last.
        let torn = mixed(before, after, |page| page > 0 && random.random_bool(0.5));
        assert_eq!(history.read(&torn), Some(number - 1));
    }
}

#[test]
fn a_file_with_lost_cut_off_or_garbled_pages_holds_a_whole_commit_or_is_set_aside() {
    let history = History::live(30);
    let mut random = SmallRng::seed_from_u64(2);
    let mut aside = 0;
    for number in 1..history.files.len() {
        let before = &history.files[number - 1];
        let after = &history.files[number];
        // A disk that lies: the first page is new, others are not.
        let mut files = vec![mixed(after, before, |page| page > 0 && random.random_bool(0.3))];
        files.push(after[..random.random_range(MAGIC..after.len())].to_vec());
        let mut garbled = after.clone();
        let from = random.random_range(MAGIC..garbled.len() - PAGE);
        for byte in garbled[from..from + PAGE].iter_mut() {
            *byte ^= 0x5a;
        }
        files.push(garbled);
        aside += files.iter().filter(|file| history.read(file).is_none()).count();
    }
    assert!(aside > 0, "no damage was found");
}
