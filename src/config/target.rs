//! What clusters and servers have in common: an id, a region, an account.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::account::Accounts;
use super::names;
use super::reader::Section;
use super::units::hours;

/// Range of `max_age`.
pub(super) const MAX_AGE: RangeInclusive<Duration> = Duration::ZERO..=hours(3650 * 24);

/// The region and account for the targets of a section that name none.
pub(super) struct Place {
    /// `Some(None)`: it is set, but invalid.
    region: Option<Option<String>>,
    account: Option<String>,
}

impl Place {
    pub(super) fn defaults(section: &Section, accounts: &Accounts) -> Self {
        let region = section.get("region").map(|value| names::region(&value));
        let account = match section.get("account") {
            Some(value) => accounts.reference(&value),
            None => Some(accounts.first()),
        };
        Self { region, account }
    }

    /// The account used where none is named.
    pub(super) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// Region and account of a target; `default` is the other key that can set a region.
    pub(super) fn of(
        &self,
        own: &Section,
        default: &str,
        accounts: &Accounts,
    ) -> (Option<String>, Option<String>) {
        let region = match (own.get("region"), &self.region) {
            (Some(value), _) => names::region(&value),
            (None, Some(region)) => region.clone(),
            (None, None) => {
                own.missing("region", &format!(": set it here or for all in {default}"));
                None
            }
        };
        let account = match own.get("account") {
            Some(value) => accounts.reference(&value),
            None => self.account.clone(),
        };
        (region, account)
    }
}

/// The ids of one kind of target. Each must be unique, since it distinguishes series.
pub(super) struct Ids {
    kind: &'static str,
    /// Where each id was found.
    seen: HashMap<String, String>,
}

impl Ids {
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, seen: HashMap::new() }
    }

    pub(super) fn read(&mut self, own: &Section) -> Option<String> {
        let Some(value) = own.get("id") else {
            own.missing("id", "");
            return None;
        };
        let id = names::id(&value, self.kind)?;
        if let Some(first) = self.seen.get(&id) {
            value.problem(format!("the same {} stands in {first} already", self.kind));
            return None;
        }
        self.seen.insert(id.clone(), own.path.clone());
        Some(id)
    }
}
