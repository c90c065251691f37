//! The tables of the state, and single transactions on them.

use std::collections::HashMap;

use redb::{
    Builder, Database, Durability, Key, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition, TableError, Value,
};

/// All entries, under the `kind/id` of a target or another name.
pub(super) const ENTRIES: TableDefinition<'_, &str, &[u8]> =
    TableDefinition::new("aliyun-task-exporter");
/// Targets that are gone, each with how long, in seconds, exporters had run on this file when it
/// went.
pub(super) const GONE: TableDefinition<'_, &str, u64> =
    TableDefinition::new("aliyun-task-exporter/gone");
/// Key of the version of the entries.
pub(super) const VERSION_KEY: &str = "version";
/// The version that this program writes.
pub(super) const VERSION: u32 = 1;
/// Size of the database's cache, in bytes; small, since what is written is read only once, at the
/// next start.
const CACHE_BYTES: usize = 1 << 20;

/// Changes to write together, all or nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Entries, by key.
    pub(super) entries: Vec<(String, Vec<u8>)>,
    /// Keys of targets that are gone, and since when.
    pub(super) gone: Vec<(String, u64)>,
    /// Keys of targets that are not gone, or no longer.
    pub(super) present: Vec<String>,
    /// Keys of entries to drop.
    pub(super) dropped: Vec<String>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.gone.is_empty()
            && self.present.is_empty()
            && self.dropped.is_empty()
    }
}

/// The settings for opening any database here.
pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// The value of `key` in `table`.
pub(super) fn read(
    database: &Database,
    table: TableDefinition<'_, &'static str, &'static [u8]>,
    key: &str,
) -> Result<Option<Vec<u8>>, redb::Error> {
    match database.begin_read()?.open_table(table) {
        Ok(table) => Ok(table.get(key)?.map(|bytes| bytes.value().to_vec())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes a batch; on return it is on disk.
pub(super) fn write(database: &Database, batch: &Batch) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    {
        let mut entries = transaction.open_table(ENTRIES)?;
        for (key, bytes) in &batch.entries {
            entries.insert(key.as_str(), bytes.as_slice())?;
        }
        let mut gone = transaction.open_table(GONE)?;
        for (key, since) in &batch.gone {
            gone.insert(key.as_str(), since)?;
        }
        for key in &batch.present {
            gone.remove(key.as_str())?;
        }
        for key in &batch.dropped {
            entries.remove(key.as_str())?;
            gone.remove(key.as_str())?;
        }
    }
    Ok(transaction.commit()?)
}

/// All keys.
pub(super) fn keys(database: &Database) -> Result<Vec<String>, redb::Error> {
    each(database, ENTRIES, |key, _| key.to_owned())
}

/// Which targets are gone, and since when.
pub(super) fn gone(database: &Database) -> Result<Vec<(String, u64)>, redb::Error> {
    each(database, GONE, |key, since| (key.to_owned(), since))
}

/// Everything in the database.
pub(super) fn everything(database: &Database) -> Result<Batch, redb::Error> {
    let entries = each(database, ENTRIES, |key, bytes| (key.to_owned(), bytes.to_vec()))?;
    Ok(Batch { entries, gone: gone(database)?, ..Batch::default() })
}

/// What is there under these keys: an entry or none, a mark or none.
pub(super) fn some(database: &Database, keys: &[&str]) -> Result<Batch, redb::Error> {
    let gone: HashMap<String, u64> = gone(database)?.into_iter().collect();
    let mut batch = Batch::default();
    for key in keys {
        let owned = (*key).to_owned();
        match gone.get(*key) {
            Some(since) => batch.gone.push((owned.clone(), *since)),
            None => batch.present.push(owned.clone()),
        }
        match read(database, ENTRIES, key)? {
            Some(bytes) => batch.entries.push((owned, bytes)),
            None => batch.dropped.push(owned),
        }
    }
    Ok(batch)
}

/// Number of entries, and of marks of targets that are gone.
pub(super) fn size(database: &Database) -> Result<(u64, u64), redb::Error> {
    Ok((length(database, ENTRIES)?, length(database, GONE)?))
}

fn length<V: Value + 'static>(
    database: &Database,
    table: TableDefinition<'_, &'static str, V>,
) -> Result<u64, redb::Error> {
    match database.begin_read()?.open_table(table) {
        Ok(table) => Ok(table.len()?),
        Err(TableError::TableDoesNotExist(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn each<V: Value + 'static, T>(
    database: &Database,
    table: TableDefinition<'_, &'static str, V>,
    mut make: impl for<'a> FnMut(&'a str, V::SelfType<'a>) -> T,
) -> Result<Vec<T>, redb::Error>
where
    &'static str: Key,
{
    let table = match database.begin_read()?.open_table(table) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut all = Vec::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        all.push(make(key.value(), value.value()));
    }
    Ok(all)
}
