//! What is asked of the targets: which of them, in which order, which page. The status page and
//! `/api/v1/status` share it.

use std::cmp::{Ordering, Reverse};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::facts::Facts;
use super::work::Counted;
use crate::store::View;
use crate::target::Kind;

/// Targets of a page, unless fewer or more are asked for.
const PER_PAGE: usize = 100;
/// Maximum number of targets of a page.
const MAX_PER_PAGE: usize = 500;
/// Maximum size of a value, in bytes: no id or name is longer, and a page repeats it in its links.
const MAX_VALUE_BYTES: usize = 512;
/// From this length on, a text is also looked for among the ids of tasks, commands and invocations.
const ID_LENGTH: usize = 12;
/// What stands for itself in a URL.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Which targets are wanted; without parameters, all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::web) struct Query {
    /// Only those of this kind.
    pub(in crate::web) kind: Option<Kind>,
    /// Only those in this state.
    pub(in crate::web) state: Option<StateFilter>,
    /// Only those with such work.
    pub(in crate::web) work: Option<WorkFilter>,
    /// Only those of this account.
    pub(in crate::web) account: Option<String>,
    /// Only those of this region.
    pub(in crate::web) region: Option<String>,
    /// Only those whose id or name has this in it, in any letter case, or that have a task, a
    /// command or an invocation with exactly this id.
    pub(in crate::web) q: Option<String>,
    /// In which order; by kind and id unless it is said.
    pub(in crate::web) sort: Option<Sort>,
    /// Which page, from 1.
    pub(in crate::web) page: Option<usize>,
    /// Number of targets of a page.
    pub(in crate::web) per_page: Option<usize>,
}

/// Declares what a parameter may be, and the word for each in a URL.
macro_rules! parameter {
    ($(#[$meta:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(in crate::web) enum $name {
            $($(#[$about])* $variant,)+
        }

        impl $name {
            /// Every value, in the order in which they are offered.
            pub(in crate::web) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it in a URL.
            pub(in crate::web) fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

parameter! {
    /// A state of a target.
    StateFilter {
        /// Its last poll succeeded.
        Up = "up",
        /// It failed.
        Down = "down",
        /// Its first poll has not ended.
        Waiting = "waiting",
        /// Its values are withdrawn.
        Stale = "stale",
        /// It needs attention: it failed, its values are withdrawn, its lists are incomplete, or
        /// series of it are left out.
        Troubled = "troubled",
    }
}

parameter! {
    /// What a target is working on.
    WorkFilter {
        /// Something is open.
        Running = "running",
        /// Something failed in the last 24 hours and has not succeeded since.
        Failed = "failed",
    }
}

parameter! {
    /// An order of targets; equal ones are ordered by kind and id.
    Sort {
        /// By name, or id if there is none.
        Name = "name",
        /// By region, then by name.
        Region = "region",
        /// The worst first.
        State = "state",
        /// What has failed and runs most first.
        Work = "work",
        /// The oldest data first.
        Age = "age",
        /// The most series first.
        Series = "series",
    }
}

parameter! {
    /// The one list that the page shows, instead of the beginnings of all.
    Show {
        /// Targets.
        Targets = "targets",
        /// What runs.
        Running = "running",
        /// What has failed lately.
        Failed = "failed",
        /// A cluster's tasks.
        Tasks = "tasks",
        /// A cluster's commands.
        Commands = "commands",
    }
}

/// A page of what fits a query.
#[derive(Debug)]
pub(in crate::web) struct Listed<T> {
    /// What is on the page.
    pub(in crate::web) shown: Vec<T>,
    /// Number of all that fit.
    pub(in crate::web) matching: usize,
    /// Which page this is, from 1.
    pub(in crate::web) page: usize,
    /// Number of pages.
    pub(in crate::web) pages: usize,
}

impl<T: Copy> Listed<T> {
    /// A page of `all`.
    pub(in crate::web) fn new(all: &[T], page: usize, per_page: usize) -> Self {
        let first = (page - 1).saturating_mul(per_page);
        let shown = all.iter().skip(first).take(per_page).copied().collect();
        Self { shown, matching: all.len(), page, pages: all.len().div_ceil(per_page) }
    }

    /// The same, or the last page if there are fewer.
    pub(in crate::web) fn within(all: &[T], page: usize, per_page: usize) -> Self {
        Self::new(all, page.min(all.len().div_ceil(per_page)).max(1), per_page)
    }
}

impl Query {
    /// What the parameters of `/api/v1/status` ask for.
    ///
    /// # Errors
    /// A line that names what cannot be understood.
    pub(in crate::web) fn read(parameters: &[(String, String)]) -> Result<Self, String> {
        let mut query = Self::default();
        for (name, value) in parameters {
            if !query.take(name, value)? {
                return Err(format!(
                    "{name} is no parameter: there are kind, state, work, account, region, q, sort, page and per_page"
                ));
            }
        }
        Ok(query)
    }

    /// Takes a parameter, unless there is none of that name; one without a value is as good as
    /// absent.
    ///
    /// # Errors
    /// A line that says what its value may be.
    pub(in crate::web) fn take(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let is_known = Self::NAMES.contains(&name);
        if !is_known || value.is_empty() {
            return Ok(is_known);
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(format!("{name}: a value has at most {MAX_VALUE_BYTES} bytes"));
        }
        let text = Some(value.to_owned());
        match name {
            "kind" => self.kind = Some(one(name, value, &Kind::ALL, Kind::label)?),
            "state" => self.state = Some(one(name, value, StateFilter::ALL, StateFilter::word)?),
            "work" => self.work = Some(one(name, value, WorkFilter::ALL, WorkFilter::word)?),
            "sort" => self.sort = Some(one(name, value, Sort::ALL, Sort::word)?),
            "account" => self.account = text,
            "region" => self.region = text,
            "q" => self.q = text,
            "page" => self.page = Some(number(name, value)?),
            _ => self.per_page = Some(number(name, value)?),
        }
        Ok(true)
    }

    /// Takes the parameters that it has, and leaves the rest.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(in crate::web) fn read_some(
        parameters: &[(String, String)],
    ) -> Result<(Self, Option<Show>), String> {
        let mut query = Self::default();
        let mut show = None;
        for (name, value) in parameters {
            match name.as_str() {
                "show" if value.is_empty() => {}
                "show" => show = Some(one(name, value, Show::ALL, Show::word)?),
                _ => _ = query.take(name, value)?,
            }
        }
        Ok((query, show))
    }

    const NAMES: [&str; 9] =
        ["kind", "state", "work", "account", "region", "q", "sort", "page", "per_page"];

    /// Its parameters, as in a URL; empty if there are none.
    pub(in crate::web) fn parameters(&self) -> Vec<(&'static str, String)> {
        let plain = |text: &Option<String>| text.as_deref().map(encoded);
        let number = |number: Option<usize>| number.map(|number| number.to_string());
        let all = [
            ("q", plain(&self.q)),
            ("kind", self.kind.map(|kind| kind.label().to_owned())),
            ("state", self.state.map(|state| state.word().to_owned())),
            ("work", self.work.map(|work| work.word().to_owned())),
            ("region", plain(&self.region)),
            ("account", plain(&self.account)),
            ("sort", self.sort.map(|sort| sort.word().to_owned())),
            ("page", number(self.page)),
            ("per_page", number(self.per_page)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Whether it leaves nothing out.
    pub(in crate::web) fn is_of_all(&self) -> bool {
        let Self { kind, state, work, account, region, q, sort: _, page: _, per_page: _ } = self;
        let is_set = [account, region, q].iter().any(|text| text.is_some());
        !is_set && kind.is_none() && state.is_none() && work.is_none()
    }

    /// Whether a target is of the kind, the account and the region that are asked for.
    pub(in crate::web) fn is_in_place(&self, view: &View) -> bool {
        let target = &view.target;
        let is =
            |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|it| it == value);
        self.kind.is_none_or(|kind| kind.label() == target.id.kind.label())
            && is(&self.account, &target.account)
            && is(&self.region, &target.region)
    }

    /// The targets that fit, in the order that is asked for, as places in `facts.views`.
    pub(in crate::web) fn matching(&self, facts: &Facts) -> Vec<usize> {
        let needle = self.q.as_deref().map(Needle::new);
        let fits = |place: &usize| {
            let view = &facts.views[*place];
            let counted = facts.work.of(*place);
            self.is_in_place(view)
                && self.state.is_none_or(|state| state.is_of(facts, view))
                && self.work.is_none_or(|work| work.is_of(counted))
                && needle.as_ref().is_none_or(|needle| needle.finds(view))
        };
        let mut places: Vec<usize> = (0..facts.views.len()).filter(fits).collect();
        if let Some(sort) = self.sort {
            places.sort_by(|a, b| sort.compare(facts, *a, *b));
        }
        places
    }

    /// The page of `matching` that the API shows.
    pub(super) fn listed(&self, matching: &[usize]) -> Listed<usize> {
        let per_page = self.per_page.unwrap_or(PER_PAGE).clamp(1, MAX_PER_PAGE);
        Listed::new(matching, self.page.unwrap_or(1).max(1), per_page)
    }
}

/// The value with this word.
fn one<T: Copy>(
    name: &str,
    value: &str,
    all: &[T],
    word: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    let words = || all.iter().map(|it| word(*it)).collect::<Vec<_>>().join(", ");
    let found = all.iter().copied().find(|it| word(*it) == value);
    found.ok_or_else(|| format!("{name}: {value:?} is none of {}", words()))
}

fn number(name: &str, value: &str) -> Result<usize, String> {
    value.parse().map_err(|_| format!("{name}: {value:?} is no number"))
}

/// A text as a part of a URL.
pub(in crate::web) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// A text that is looked for.
#[derive(Debug)]
pub(in crate::web) struct Needle<'a> {
    exact: &'a str,
    lower: String,
}

impl<'a> Needle<'a> {
    /// Looks for `text`, with no regard to spaces around it.
    pub(in crate::web) fn new(text: &'a str) -> Self {
        Self { exact: text.trim(), lower: text.trim().to_lowercase() }
    }

    /// Whether it is in `text`, in any letter case.
    pub(in crate::web) fn is_in(&self, text: &str) -> bool {
        text.to_lowercase().contains(&self.lower)
    }

    /// Whether it is in the id or the name of a target, or the id of something on it.
    pub(in crate::web) fn finds(&self, view: &View) -> bool {
        self.is_in(&view.target.id.id)
            || self.is_in(&view.target.name)
            || (self.exact.len() >= ID_LENGTH
                && super::work::things(view).any(|thing| thing.id() == self.exact))
    }
}

impl StateFilter {
    /// Whether a target is in this state.
    pub(in crate::web) fn is_of(self, facts: &Facts, view: &View) -> bool {
        match self {
            Self::Up => view.state.up == Some(true),
            Self::Down => view.state.up == Some(false),
            Self::Waiting => view.state.up.is_none(),
            Self::Stale => view.is_withdrawn(),
            Self::Troubled => {
                view.failure.is_some()
                    || view.is_withdrawn()
                    || view.state.lists.missing > 0
                    || facts.series_of(&view.target.id).dropped.iter().any(|count| *count > 0)
            }
        }
    }
}

impl WorkFilter {
    fn is_of(self, counted: Counted) -> bool {
        match self {
            Self::Running => counted.running > 0,
            Self::Failed => counted.failed > 0,
        }
    }
}

impl Sort {
    fn compare(self, facts: &Facts, a: usize, b: usize) -> Ordering {
        let first = &facts.views[a];
        let second = &facts.views[b];
        let by_name = || called(first).cmp(called(second));
        let worst = |view: &View| {
            (
                view.failure.is_none(),
                view.reading.is_some(),
                view.read_at.is_some(),
                view.failing_since,
            )
        };
        let work = |place: usize| {
            let Counted { running, failed } = facts.work.of(place);
            Reverse((failed, running))
        };
        let series = |view: &View| Reverse(facts.series_of(&view.target.id).shown);
        match self {
            Self::Name => by_name(),
            Self::Region => first.target.region.cmp(&second.target.region).then_with(by_name),
            Self::State => worst(first).cmp(&worst(second)),
            Self::Work => work(a).cmp(&work(b)),
            Self::Age => first.read_at.cmp(&second.read_at),
            Self::Series => series(first).cmp(&series(second)),
        }
    }
}

/// The name to show for a target: the user's name, else its id.
pub(in crate::web) fn called(view: &View) -> &str {
    if view.target.name.is_empty() { &view.target.id.id } else { &view.target.name }
}

#[cfg(test)]
mod tests {
    use super::{Listed, Query, Sort, StateFilter};
    use crate::target::Kind;

    fn read(text: &str) -> Result<Query, String> {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        let pairs: Vec<_> = pairs.map(|(name, value)| (name.into(), value.into())).collect();
        Query::read(&pairs)
    }

    #[test]
    fn parameters_are_read_and_written_alike_and_empty_ones_are_none() {
        let query =
            read("q=web 1&kind=ehpc_tasks&state=stale&sort=age&page=3&region=&account=").unwrap();
        assert_eq!((query.kind, query.state), (Some(Kind::EhpcTasks), Some(StateFilter::Stale)));
        assert_eq!((query.sort, query.page, &query.region), (Some(Sort::Age), Some(3), &None));
        let written: Vec<String> =
            query.parameters().iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(written, ["q=web%201", "kind=ehpc_tasks", "state=stale", "sort=age", "page=3"]);
        assert!(!query.is_of_all() && read("sort=age&page=2").unwrap().is_of_all());
    }

    #[test]
    fn what_cannot_be_understood_is_named_with_what_could_be() {
        assert_eq!(
            read("state=good").unwrap_err(),
            "state: \"good\" is none of up, down, waiting, stale, troubled"
        );
        assert_eq!(read("page=x").unwrap_err(), "page: \"x\" is no number");
        assert!(
            read("order=name").unwrap_err().starts_with("order is no parameter: there are kind")
        );
        let long = format!("q={}", "x".repeat(513));
        assert_eq!(read(&long).unwrap_err(), "q: a value has at most 512 bytes");
        assert!(read(&long[..long.len() - 1]).is_ok());
    }

    #[test]
    fn a_page_beyond_the_last_is_empty_or_the_last() {
        let all = [1, 2, 3, 4, 5];
        let listed = Listed::new(&all, 2, 2);
        assert_eq!((listed.shown, listed.matching, listed.pages), (vec![3, 4], 5, 3));
        assert!(Listed::new(&all, 9, 2).shown.is_empty());
        let last = Listed::within(&all, 9, 2);
        assert_eq!((last.shown, last.page), (vec![5], 3));
        let none: Listed<u8> = Listed::within(&[], 9, 2);
        assert_eq!((none.page, none.pages), (1, 0));
        assert!(Listed::new(&all, usize::MAX, usize::MAX).shown.is_empty());
    }
}
