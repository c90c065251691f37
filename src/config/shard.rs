//! `--shard.index` and `--shard.count`.

/// Which of the processes that share the targets of one configuration this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its number, from 0.
    pub index: u32,
    /// Number of processes.
    pub count: u32,
}

impl Default for Shard {
    /// The only one.
    fn default() -> Self {
        Self { index: 0, count: 1 }
    }
}
