//! `ehpc.discovery` and `swas.discovery`: where to look for clusters and servers, and which of them
//! to take.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use regex::Regex;
use serde::{Serialize, Serializer};

use super::account::Accounts;
use super::names;
use super::reader::{Section, Value};
use super::units::{hours, write_duration};

pub(super) const KEYS: &[&str] = &["account", "regions", "include", "exclude", "interval"];

/// Range of `interval`. New servers need not be found at once, and the lists of a large account
/// have many pages.
const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(60)..=hours(24);
const DEFAULT_INTERVAL: Duration = Duration::from_secs(600);
/// Stands for every region of the product.
const ALL: &str = "all";

/// An entry of `ehpc.discovery` or `swas.discovery`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Discovery {
    /// Name of an entry of `accounts`.
    pub account: String,
    /// Where to look.
    pub regions: Regions,
    /// What to take.
    #[serde(flatten)]
    pub filter: Filter,
    /// Time between two readings of the lists.
    #[serde(serialize_with = "write_duration")]
    pub interval: Duration,
}

/// `regions` of a [`Discovery`].
#[derive(Clone, Debug, PartialEq)]
pub enum Regions {
    /// `[all]`: every region of the product, as listed by ListRegions.
    All,
    /// These.
    Named(Vec<String>),
}

impl Serialize for Regions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => [ALL].serialize(serializer),
            Self::Named(regions) => regions.serialize(serializer),
        }
    }
}

/// `include` and `exclude` of a [`Discovery`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Filter {
    /// Take only matches; by default everything.
    pub include: Option<Pattern>,
    /// Leave out matches; by default nothing.
    pub exclude: Option<Pattern>,
}

impl Filter {
    /// Whether it takes a resource with this id and this name. Either may match.
    pub fn takes(&self, id: &str, name: &str) -> bool {
        let matches =
            |pattern: &Pattern| pattern.regex.is_match(id) || pattern.regex.is_match(name);
        self.include.as_ref().is_none_or(matches) && !self.exclude.as_ref().is_some_and(matches)
    }
}

/// A regular expression that must match the whole text, as in Prometheus.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles a regular expression in the syntax of the `regex` crate, which is nearly RE2's.
    ///
    /// # Errors
    /// What is wrong with it, in one line that does not repeat it.
    pub fn new(text: &str) -> Result<Self, String> {
        // On its own first: "a)(b" must not become valid inside the group.
        let regex = Regex::new(text).and_then(|_| Regex::new(&format!("^(?:{text})$")));
        let regex = regex.map_err(|error| {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").trim_end_matches('.').to_owned()
        })?;
        Ok(Self { text: text.to_owned(), regex })
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// The entries of `discovery`; `account` is the account of those that name none.
pub(super) fn read(
    section: &Section,
    account: Option<&str>,
    accounts: &Accounts,
) -> Vec<Discovery> {
    let mut places = Places::default();
    let entries = section.items("discovery").into_iter().filter_map(|item| {
        let own = item.section(KEYS);
        let account = match own.get("account") {
            Some(value) => accounts.reference(&value),
            None => account.map(str::to_owned),
        };
        let regions = regions(&own, account.as_deref(), &mut places);
        let filter =
            Filter { include: pattern(&own, "include"), exclude: pattern(&own, "exclude") };
        let interval = own.duration("interval", INTERVAL).unwrap_or(DEFAULT_INTERVAL);
        Some(Discovery { account: account?, regions: regions?, filter, interval })
    });
    entries.collect()
}

fn pattern(own: &Section, key: &str) -> Option<Pattern> {
    let value = own.get(key)?;
    let text = value.filled()?;
    let wrong =
        |error| value.problem(format!("{} is not a regular expression: {error}", text.shown()));
    Pattern::new(&text.value).map_err(wrong).ok()
}

/// Where each account already looks.
#[derive(Default)]
struct Places(HashMap<String, Looked>);

/// The regions where an account looks, and where each is in the file.
#[derive(Default)]
struct Looked {
    regions: HashMap<String, String>,
    /// Where its first region is in the file.
    first: Option<String>,
}

impl Places {
    /// Adds a place. A duplicate is a problem: it would be read, and its resources polled, twice.
    fn add(&mut self, account: &str, region: &str, value: &Value) {
        let looked = self.0.entry(account.to_owned()).or_default();
        if let Some(first) = looked.regions.get(region) {
            return value.problem(format!("account {account:?} looks there already: {first}"));
        }
        if let Some(first) = looked.regions.get(ALL) {
            return value
                .problem(format!("account {account:?} looks in all regions already: {first}"));
        }
        if let (ALL, Some(first)) = (region, &looked.first) {
            return value.problem(format!(
                "stands for every region, but account {account:?} names one in {first}"
            ));
        }
        looked.first.get_or_insert_with(|| value.path.clone());
        looked.regions.insert(region.to_owned(), value.path.clone());
    }
}

/// The regions of an entry; `None` if they are unknown.
fn regions(own: &Section, account: Option<&str>, places: &mut Places) -> Option<Regions> {
    let Some(value) = own.get("regions") else {
        own.missing("regions", ": list region ids, or write [all]");
        return None;
    };
    let items = value.items();
    if items.is_empty() && value.is_list() {
        value.problem("must name at least one region, or be [all]");
    }
    let named: Vec<Option<String>> = items.iter().map(names::region).collect();
    if let Some(account) = account {
        let known =
            items.iter().zip(&named).filter_map(|(item, region)| Some((item, region.as_ref()?)));
        for (item, region) in known {
            places.add(account, region, item);
        }
    }
    let named: Vec<String> = named.into_iter().collect::<Option<_>>()?;
    match named.iter().any(|region| region == ALL) {
        true => Some(Regions::All),
        false => Some(Regions::Named(named)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, Pattern};

    fn filter(include: Option<&str>, exclude: Option<&str>) -> Filter {
        let pattern = |text: Option<&str>| text.map(|text| Pattern::new(text).unwrap());
        Filter { include: pattern(include), exclude: pattern(exclude) }
    }

    #[test]
    fn id_or_name_must_match_as_a_whole() {
        assert!(filter(None, None).takes("ace1", ""));
        let web = filter(Some("web-.*|ace1"), None);
        assert!(
            web.takes("ace1", "") && web.takes("x", "web-1") && !web.takes("ace12", "my-web-1")
        );
        let others = filter(None, Some("web-.*|ace1"));
        assert!(
            !others.takes("ace1", "db")
                && !others.takes("x", "web-1")
                && others.takes("ace12", "my-web-1")
        );
        let both = filter(Some("web-.*"), Some(".*-test"));
        assert!(
            both.takes("x", "web-1") && !both.takes("x", "web-test") && !both.takes("x", "db-1")
        );
        assert!(
            filter(Some("(?i)生产.*|PROD"), None).takes("x", "prod"),
            "letter case and other scripts"
        );
        assert!(
            !filter(Some("a|b"), None).takes("ab", ""),
            "the anchors hold for all alternatives"
        );
    }

    #[test]
    fn what_is_wrong_is_one_line() {
        let wrong = |text: &str| Pattern::new(text).unwrap_err();
        assert_eq!(wrong("web-("), "unclosed group");
        assert_eq!(wrong("a)(b"), "unopened group");
        assert!(!wrong("(?P<n>a){1000000000}").contains('\n'));
    }
}
