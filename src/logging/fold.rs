//! Which lines are written at once, and which are folded into a summary; pure.
//!
//! Lines are of one kind if they come from the same place in the source and have the same `kind`
//! and `reason`. The first lines of a kind in a minute are written one by one; the rest of that
//! minute becomes one summary line. A line that repeats the previous one exactly is not written
//! either.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::line::Line;

/// Maximum number of lines of a kind that are written one by one in a minute.
const SINGLY: usize = 10;
/// How long a kind is counted, from its first line on.
const MINUTE: Duration = Duration::from_secs(60);
/// Maximum number of lines that a summary names.
const MAX_NAMED: usize = 3;
/// Maximum number of words that a summary counts individually.
const MAX_WORDS: usize = 20;
/// Fields that a summary counts lines by (the first one that they have), and the name of the count
/// in the summary.
const COUNTED: [(&str, &str); 4] = [
    ("status", "by_status"),
    ("cause", "by_cause"),
    ("word", "by_word"),
    ("operation", "by_operation"),
];
/// Fields that identify a line in a summary, in addition to the counted one.
const NAMES: [&str; 3] = ["name", "target", "id"];

/// The kinds of lines in the last minute.
#[derive(Debug, Default)]
pub(super) struct Folding {
    kinds: HashMap<(&'static str, [String; 2]), Window>,
    /// Hash of the last line that was written.
    last: Option<u64>,
}

/// The lines of one kind in a minute.
#[derive(Debug)]
struct Window {
    ends: Instant,
    told: usize,
    folded: Option<Folded>,
}

/// Lines that were not written.
#[derive(Debug)]
struct Folded {
    count: u64,
    /// The first of them, reduced to the fields that are the same in all.
    common: Line,
    words: Option<Words>,
    /// Hashes of the targets.
    targets: HashSet<u64>,
    /// The lines to name: those of the highest rank and, if possible, of different targets.
    named: Vec<(Claim, Line)>,
}

/// Number of lines for each word in the counted field.
#[derive(Debug)]
struct Words {
    field: &'static str,
    counts: BTreeMap<String, Count>,
    /// Lines with words that are not counted individually.
    others: u64,
}

/// The lines with a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Count {
    /// The highest rank of its lines.
    rank: u64,
    lines: u64,
}

/// Priority of a line for being named: its rank, and whether its target is not named yet.
type Claim = (u64, bool);

impl Folding {
    /// Whether a line is to be written; if not, it is counted.
    pub(super) fn admit(&mut self, line: &Line, now: Instant) -> bool {
        let kind = ["kind", "reason"].map(|field| line.get(field).map(text).unwrap_or_default());
        let fresh = || Window { ends: now + MINUTE, told: 0, folded: None };
        let window = self.kinds.entry((line.place, kind)).or_insert_with(fresh);
        let says = says(line);
        let is_repeated = window.told > 0 && self.last == Some(says);
        if window.told < SINGLY && !is_repeated {
            window.told += 1;
            self.last = Some(says);
            return true;
        }
        match &mut window.folded {
            Some(folded) => folded.add(line),
            none => *none = Some(Folded::of(line)),
        }
        false
    }

    /// The summaries of minutes that have ended.
    pub(super) fn over(&mut self, now: Instant) -> Vec<Line> {
        self.end(|window| window.ends <= now)
    }

    /// The summaries of everything that is not written yet.
    pub(super) fn rest(&mut self) -> Vec<Line> {
        self.end(|_| true)
    }

    fn end(&mut self, is_over: impl Fn(&Window) -> bool) -> Vec<Line> {
        let over = self.kinds.extract_if(|_, window| is_over(window));
        over.filter_map(|(_, window)| Some(window.folded?.summary())).collect()
    }
}

impl Folded {
    fn of(line: &Line) -> Self {
        let mut folded = Self {
            count: 0,
            common: line.clone(),
            words: Words::of(line),
            targets: HashSet::new(),
            named: Vec::new(),
        };
        folded.add(line);
        folded
    }

    fn add(&mut self, line: &Line) {
        self.count += 1;
        self.common.fields.retain(|(name, value)| line.get(name) == Some(value));
        if self.common.message != line.message {
            "lines of one kind".clone_into(&mut self.common.message);
        }
        self.targets.extend(line.get("target").map(hash));
        if let Some(words) = &mut self.words {
            words.add(line);
        }
        self.name(line);
    }

    fn name(&mut self, line: &Line) {
        let target = line.get("target");
        let claim = (line.rank, self.named.iter().all(|(_, named)| named.get("target") != target));
        let place = self.named.partition_point(|(named, _)| *named >= claim);
        if place < MAX_NAMED {
            self.named.insert(place, (claim, line.clone()));
            self.named.truncate(MAX_NAMED);
        }
    }

    /// One line for all folded lines.
    fn summary(self) -> Line {
        let named = self.names();
        let Self { count, mut common, targets, words, .. } = self;
        common.message.push_str(" (folded)");
        let mut fields = vec![("folded", count.into())];
        fields.append(&mut common.fields);
        if targets.len() > 1 {
            fields.push(("targets", targets.len().into()));
        }
        // If all lines have the same word, it is among the common fields.
        fields.extend(
            words
                .filter(|words| words.counts.len() > 1)
                .map(|words| (words.name(), words.told().into())),
        );
        fields.extend(named.map(|named| ("named", named.into())));
        Line { fields, ..common }
    }

    /// What differs between the named lines.
    fn names(&self) -> Option<String> {
        let word = self.words.as_ref().map(|words| words.field);
        let fields =
            || NAMES.into_iter().chain(word).filter(|field| self.common.get(field).is_none());
        let name = |line: &Line| {
            fields().filter_map(|field| line.get(field)).map(text).collect::<Vec<_>>().join(" ")
        };
        let mut names: Vec<String> =
            self.named.iter().map(|(_, line)| name(line)).filter(|name| !name.is_empty()).collect();
        names.dedup();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

impl Words {
    fn of(line: &Line) -> Option<Self> {
        let (field, _) = COUNTED.iter().find(|(field, _)| line.get(field).is_some())?;
        Some(Self { field, counts: BTreeMap::new(), others: 0 })
    }

    fn add(&mut self, line: &Line) {
        let word = line.get(self.field).map(text).unwrap_or_default();
        if self.counts.len() >= MAX_WORDS && !self.counts.contains_key(&word) {
            self.others += 1;
            return;
        }
        let count = self.counts.entry(word).or_default();
        count.rank = count.rank.max(line.rank);
        count.lines += 1;
    }

    /// The summary's field.
    fn name(&self) -> &'static str {
        COUNTED.iter().find(|(field, _)| *field == self.field).map_or(self.field, |(_, name)| name)
    }

    /// The counts, highest rank first.
    fn told(&self) -> String {
        let mut counts: Vec<(&String, &Count)> = self.counts.iter().collect();
        counts.sort_by_key(|(_, count)| Reverse(**count));
        let mut told: Vec<String> =
            counts.iter().map(|(word, count)| format!("{word} {}", count.lines)).collect();
        if self.others > 0 {
            told.push(format!("others {}", self.others));
        }
        told.join(", ")
    }
}

/// A value without quotes.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Hash of a line's content; lines with the same content have the same hash.
fn says(line: &Line) -> u64 {
    let mut hasher = DefaultHasher::new();
    (line.place, &line.message).hash(&mut hasher);
    line.fields.hash(&mut hasher);
    hasher.finish()
}

fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::Value;
    use tracing::Level;

    use super::{Folding, Line, MAX_WORDS};

    fn line(place: &'static str, fields: &[(&'static str, &str)]) -> Line {
        let fields = fields.iter().map(|(name, value)| (*name, Value::from(*value))).collect();
        Line { level: Level::INFO, place, message: place.to_owned(), rank: 0, fields }
    }

    fn ended(kind: &str, target: &str, id: usize, status: &str) -> Line {
        let id = id.to_string();
        let fields =
            [("kind", kind), ("target", target), ("region", "r"), ("id", &*id), ("status", status)];
        Line { rank: u64::from(status != "Success"), ..line("ended", &fields) }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// `key=value` of each field.
    fn said(line: &Line) -> Vec<String> {
        line.fields.iter().map(|(name, value)| format!("{name}={}", super::text(value))).collect()
    }

    #[test]
    fn ten_of_a_kind_are_told_and_the_rest_of_the_minute_is_one_line() {
        let mut folding = Folding::default();
        let start = Instant::now();
        let mut told = 0;
        for id in 0..10_000 {
            let status = if id % 1000 == 999 { "Failed" } else { "Success" };
            let line = ended("swas", &format!("s{}", id % 300), id, status);
            told += usize::from(folding.admit(&line, start + seconds(59 * id as u64 / 10_000)));
        }
        assert_eq!(told, 10);
        assert_eq!(folding.over(start + seconds(59)), []);
        let [summary] = &folding.over(start + seconds(60))[..] else { panic!() };
        assert_eq!((summary.level, &*summary.message), (Level::INFO, "ended (folded)"));
        assert_eq!(
            said(summary),
            [
                "folded=9990",
                "kind=swas",
                "region=r",
                "targets=300",
                "by_status=Failed 10, Success 9980",
                "named=s99 999 Failed, s199 1999 Failed, s299 2999 Failed",
            ]
        );
        assert!(
            folding.admit(&ended("swas", "s1", 1, "Success"), start + seconds(60)),
            "another minute"
        );
        assert_eq!(folding.rest(), [], "nothing was withheld in it");
    }

    #[test]
    fn different_targets_are_named_if_there_are_and_one_several_times_if_not() {
        let mut folding = Folding::default();
        let now = Instant::now();
        let mut named = |target: fn(usize) -> String| {
            for id in 0..30 {
                folding.admit(&ended("swas", &target(id), id, "Failed"), now);
            }
            let [summary] = &folding.rest()[..] else { panic!() };
            said(summary).pop().unwrap()
        };
        assert_eq!(named(|id| format!("s{}", id / 8)), "named=s1 10, s2 16, s3 24");
        assert_eq!(named(|_| "s".to_owned()), "named=10, 11, 12");
    }

    #[test]
    fn kinds_do_not_take_each_others_place() {
        let mut folding = Folding::default();
        let now = Instant::now();
        let mut told = 0;
        for id in 0..20 {
            told += usize::from(folding.admit(&ended("swas", "s", id, "Success"), now));
            told += usize::from(folding.admit(&ended("ehpc", "c", id, "Success"), now));
            told += usize::from(folding.admit(&line("lost", &[("id", &id.to_string())]), now));
        }
        assert_eq!(told, 30);
        let mut counts: Vec<_> = folding.rest().iter().map(|line| said(line)[0].clone()).collect();
        counts.dedup();
        assert_eq!(counts, ["folded=10"]);
        assert_eq!(folding.rest(), [], "each is told once");
    }

    #[test]
    fn a_line_that_repeats_the_one_before_it_is_counted_and_told_once() {
        let mut folding = Folding::default();
        let start = Instant::now();
        let refused = line("could not accept", &[("error", "too many open files")]);
        let told = (0..300)
            .filter(|tick| folding.admit(&refused, start + Duration::from_millis(tick * 200)))
            .count();
        assert_eq!(told, 1);
        let [summary] = &folding.over(start + seconds(60))[..] else { panic!() };
        assert_eq!(said(summary), ["folded=299", "error=too many open files"]);
        assert!(folding.admit(&refused, start + seconds(60)), "once in each minute");
    }

    #[test]
    fn what_goes_to_and_fro_is_told_each_time_up_to_ten() {
        let mut folding = Folding::default();
        let now = Instant::now();
        let failed = line("poll failed", &[("target", "s")]);
        let well = line("poll succeeded again", &[("target", "s")]);
        let told: Vec<bool> =
            (0..12).flat_map(|_| [&failed, &well]).map(|line| folding.admit(line, now)).collect();
        assert_eq!(told.iter().filter(|told| **told).count(), 20);
        assert!(told[..20].iter().all(|told| *told));
    }

    #[test]
    fn a_summary_is_short_however_much_it_stands_for() {
        let mut folding = Folding::default();
        let now = Instant::now();
        for number in 0..5000 {
            folding.admit(&ended("swas", "s", number, &format!("Odd{number}")), now);
        }
        let [summary] = &folding.rest()[..] else { panic!() };
        let words = said(summary).into_iter().find(|field| field.starts_with("by_status")).unwrap();
        assert_eq!(words.split(", ").count(), MAX_WORDS + 1);
        assert!(words.ends_with("others 4970"), "{words}");
    }

    #[test]
    fn lines_of_one_place_with_other_words_do_not_lend_theirs_to_the_summary() {
        let mut folding = Folding::default();
        let now = Instant::now();
        for number in 0..12 {
            folding.admit(&Line { message: format!("warning {number}"), ..line("odd", &[]) }, now);
        }
        let [summary] = &folding.rest()[..] else { panic!() };
        assert_eq!(
            (&*summary.message, said(summary)),
            ("lines of one kind (folded)", vec!["folded=2".to_owned()])
        );
    }
}
