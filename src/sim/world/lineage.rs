//! Things of one kind that belong to one owner: those added by a script, and an endless stream of
//! generated ones.

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::SignedDuration;

use super::noise::Noise;
use crate::sim::ListOrder;

/// How long results are kept after the end, as documented for SWAS.
const RESULTS_KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A thing with a lifetime. Times are since the world's start, and negative before it.
pub(crate) trait Life: Clone {
    /// Its id.
    fn id(&self) -> &str;
    /// When it is created.
    fn born(&self) -> SignedDuration;
    /// When it ends; it never changes after that.
    fn ended(&self) -> SignedDuration;
}

/// An endless stream of things. The n-th is a function of n.
pub(crate) trait Generator {
    /// The type of the things.
    type Thing: Life;
    /// When things are created.
    fn cadence(&self) -> &Cadence;
    /// Number of newest things that are listed; older ones only while they are open.
    fn listed(&self) -> usize;
    /// Maximum lifetime.
    fn longest_life(&self) -> SignedDuration;
    /// The n-th thing.
    fn make(&self, number: i64) -> Self::Thing;
    /// The number in an id; an arbitrary one if the id is foreign.
    fn number(&self, id: &str) -> Option<i64>;
}

/// Creation at a steady rate with some jitter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cadence {
    /// Determines the jitter.
    pub(crate) noise: Noise,
    /// Time from one creation to the next, in microseconds.
    pub(crate) interval: i64,
    /// Earliest creation of number 0, in microseconds.
    pub(crate) phase: i64,
}

impl Cadence {
    /// When a number is created.
    pub(crate) fn born(&self, number: i64) -> SignedDuration {
        let jitter = self.noise.with(number as u64).unit() * 0.5 * self.interval as f64;
        SignedDuration::from_micros(self.phase + number * self.interval + jitter as i64)
    }

    /// The newest number created by then.
    fn newest(&self, at: SignedDuration) -> i64 {
        let number = (micros(at) - self.phase).div_euclid(self.interval);
        if self.born(number) <= at { number } else { number - 1 }
    }
}

/// A duration in microseconds; 300,000 years fit.
pub(crate) fn micros(time: SignedDuration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Where a listed thing comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    Script(usize),
    Stream(i64),
}

/// A listed thing that is not generated yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    born: SignedDuration,
    source: Source,
}

/// Everything of one kind that belongs to one owner.
#[derive(Debug)]
pub(crate) struct Lineage<G: Generator> {
    script: Vec<G::Thing>,
    stream: Option<G>,
    removed: HashSet<String>,
    retention: Option<SignedDuration>,
}

impl<G: Generator> Lineage<G> {
    /// The things of a stream, or none until a script adds some. Things older than the retention
    /// are not listed.
    pub(crate) fn new(stream: Option<G>, retention: Option<SignedDuration>) -> Self {
        Self { script: Vec::new(), stream, removed: HashSet::new(), retention }
    }

    /// Adds a thing, replacing the one with its id if there is one.
    pub(crate) fn add(&mut self, thing: G::Thing) {
        self.script.retain(|other| other.id() != thing.id());
        self.removed.remove(thing.id());
        self.script.push(thing);
    }

    /// Removes a thing, if it exists.
    pub(crate) fn remove(&mut self, id: &str) {
        self.script.retain(|thing| thing.id() != id);
        self.removed.insert(id.to_owned());
    }

    /// What is listed at a time, in the given order.
    pub(crate) fn listed(&self, at: SignedDuration, order: ListOrder) -> Vec<Member> {
        let mut members: Vec<Member> = self.scripted(at).collect();
        if let Some(stream) = &self.stream {
            members.extend(self.streamed(stream, at));
        }
        sort(&mut members, at, order);
        members
    }

    /// A listed thing itself.
    pub(crate) fn get(&self, member: Member) -> Option<Cow<'_, G::Thing>> {
        match member.source {
            Source::Script(index) => self.script.get(index).map(Cow::Borrowed),
            Source::Stream(number) => {
                self.stream.as_ref().map(|stream| Cow::Owned(stream.make(number)))
            }
        }
    }

    /// Everything listed at a time, generated.
    pub(crate) fn all(
        &self,
        at: SignedDuration,
        order: ListOrder,
    ) -> impl Iterator<Item = Cow<'_, G::Thing>> {
        self.listed(at, order).into_iter().filter_map(|member| self.get(member))
    }

    /// The thing with an id, if it is listed.
    pub(crate) fn find(&self, id: &str, at: SignedDuration) -> Option<Cow<'_, G::Thing>> {
        if let Some(thing) = self.script.iter().find(|thing| thing.id() == id) {
            return (thing.born() <= at && self.is_retained(thing.born(), at))
                .then_some(Cow::Borrowed(thing));
        }
        let stream = self.stream.as_ref()?;
        let number = stream.number(id)?;
        let newest = stream.cadence().newest(at);
        // A foreign id decodes to an arbitrary number: generate only what may be listed.
        if number > newest || number < oldest_possible(stream, at, newest) {
            return None;
        }
        let thing = stream.make(number);
        let listed = is_listed(stream, number, newest, at) && self.is_retained(thing.born(), at);
        (thing.id() == id && listed && !self.removed.contains(id)).then_some(Cow::Owned(thing))
    }

    /// The thing with an id, listed or not, until two weeks after its end.
    pub(crate) fn kept(&self, id: &str, at: SignedDuration) -> Option<Cow<'_, G::Thing>> {
        let is_kept = |thing: &G::Thing| thing.born() <= at && at - thing.ended() <= RESULTS_KEPT;
        if let Some(thing) = self.script.iter().find(|thing| thing.id() == id) {
            return is_kept(thing).then_some(Cow::Borrowed(thing));
        }
        let stream = self.stream.as_ref()?;
        let number = stream.number(id)?;
        let newest = stream.cadence().newest(at);
        let past = micros(RESULTS_KEPT + stream.longest_life()) / stream.cadence().interval + 2;
        // A foreign id decodes to an arbitrary number.
        if number > newest || number < newest - past {
            return None;
        }
        let thing = stream.make(number);
        (thing.id() == id && is_kept(&thing) && !self.removed.contains(id))
            .then_some(Cow::Owned(thing))
    }

    fn scripted(&self, at: SignedDuration) -> impl Iterator<Item = Member> {
        let member = |(index, thing): (usize, &G::Thing)| Member {
            born: thing.born(),
            source: Source::Script(index),
        };
        self.script
            .iter()
            .enumerate()
            .map(member)
            .filter(move |member| member.born <= at && self.is_retained(member.born, at))
    }

    fn streamed(&self, stream: &G, at: SignedDuration) -> impl Iterator<Item = Member> {
        let newest = stream.cadence().newest(at);
        (oldest_possible(stream, at, newest)..=newest)
            .filter(move |&number| {
                is_listed(stream, number, newest, at) && !self.is_removed(stream, number)
            })
            .map(|number| Member {
                born: stream.cadence().born(number),
                source: Source::Stream(number),
            })
            .filter(move |member| self.is_retained(member.born, at))
    }

    fn is_removed(&self, stream: &G, number: i64) -> bool {
        !self.removed.is_empty() && self.removed.contains(stream.make(number).id())
    }

    fn is_retained(&self, born: SignedDuration, at: SignedDuration) -> bool {
        self.retention.is_none_or(|retention| at - born <= retention)
    }
}

/// The oldest number that may be listed: one of the newest, or possibly still open.
fn oldest_possible<G: Generator>(stream: &G, at: SignedDuration, newest: i64) -> i64 {
    let by_count = newest - stream.listed() as i64 + 1;
    let open = micros(stream.longest_life()) / stream.cadence().interval + 2;
    debug_assert!(stream.cadence().born(newest) <= at);
    by_count.min(newest - open)
}

fn is_listed<G: Generator>(stream: &G, number: i64, newest: i64, at: SignedDuration) -> bool {
    number > newest - stream.listed() as i64 || stream.make(number).ended() > at
}

fn sort(members: &mut [Member], at: SignedDuration, order: ListOrder) {
    match order {
        ListOrder::OldestFirst => members.sort_by_key(|member| member.born),
        ListOrder::NewestFirst => members.sort_by_key(|member| std::cmp::Reverse(member.born)),
        ListOrder::Reordering => {
            let shuffle = Noise::new(at.as_secs().div_euclid(60) as u64);
            members.sort_by_key(|member| shuffle.with(micros(member.born) as u64).bits());
        }
    }
}
