//! Names for groups of budgets that are alike.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use super::Budget;

/// Maximum number of names in a sentence.
const MAX_IN_SENTENCE: usize = 5;
/// Maximum number of names in a cell of the table.
const MAX_IN_CELL: usize = 2;

/// Regions and quota groups of budgets: `cn-hangzhou (quota group a)`.
pub(super) fn places(budgets: &[&Budget]) -> String {
    let groups = distinct(budgets, 0);
    let regions = distinct(budgets, 1);
    let word = if groups.len() == 1 { "quota group" } else { "quota groups" };
    format!("{} ({word} {})", named(&regions, MAX_IN_SENTENCE), named(&groups, MAX_IN_SENTENCE))
}

/// The quota groups of budgets, for a cell.
pub(super) fn groups(budgets: &[&Budget]) -> String {
    named(&distinct(budgets, 0), MAX_IN_CELL)
}

/// The regions of budgets, for a cell.
pub(super) fn regions(budgets: &[&Budget]) -> String {
    named(&distinct(budgets, 1), MAX_IN_CELL)
}

fn distinct<'a>(budgets: &[&'a Budget], label: usize) -> BTreeSet<&'a str> {
    budgets.iter().map(|budget| budget.key.labels()[label]).collect()
}

/// `a, b`, or `a and 4 more` where there are more than `max`.
fn named(names: &BTreeSet<&str>, max: usize) -> String {
    let shown = if names.len() <= max { names.len() } else { max - 1 };
    let list = names.iter().copied().take(shown).collect::<Vec<_>>().join(", ");
    match names.len() - shown {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}

/// Groups budgets by `key`, in the order in which the keys first occur.
pub(super) fn by<'a, K: Clone + Eq + Hash>(
    budgets: impl IntoIterator<Item = &'a Budget>,
    key: impl Fn(&Budget) -> K,
) -> Vec<(K, Vec<&'a Budget>)> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut groups: Vec<(K, Vec<&Budget>)> = Vec::new();
    for budget in budgets {
        let key = key(budget);
        let place = *places.entry(key.clone()).or_insert_with(|| {
            groups.push((key, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(budget);
    }
    groups
}
