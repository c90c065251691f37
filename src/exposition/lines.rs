//! Sample lines of one target, by family.

use std::fmt::Write;

use jiff::Timestamp;

use super::limits::{Demand, Limits, Part, PerPart};
use crate::catalog::Family;
use crate::config::StatusStyle;
use crate::model::Histogram;

/// Finished sample lines of one target, family by family in the order of the catalog.
#[derive(Debug, Default, PartialEq)]
pub struct SampleLines {
    text: Box<str>,
    /// Position of each family, and where its lines begin and end.
    spans: Box<[(usize, u32, u32)]>,
    series: usize,
}

impl SampleLines {
    /// Its lines of a family; empty if it has none.
    pub fn lines_of(&self, family: &Family) -> &str {
        let span = self.spans.binary_search_by_key(&family.position, |(position, ..)| *position);
        span.map_or("", |span| {
            let (_, start, end) = self.spans[span];
            &self.text[start as usize..end as usize]
        })
    }

    /// All its lines.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Number of series.
    pub fn series(&self) -> usize {
        self.series
    }
}

/// Builds a [`SampleLines`].
#[derive(Debug)]
pub struct Lines {
    /// Lines in the order in which they were added.
    text: String,
    /// The labels that [`LinesOf`] writes, escaped.
    labels: String,
    /// Families and spans as in [`SampleLines`], but in the order in which they were added.
    spans: Vec<(usize, u32, u32)>,
    series: usize,
    /// Lines are only counted, not written.
    counting: bool,
    limits: Limits,
    wanted: PerPart,
    shown: PerPart,
    /// How statuses are written.
    style: StatusStyle,
}

/// Adds lines that begin with the same labels, which are escaped once.
#[derive(Debug)]
pub(super) struct LinesOf<'a> {
    lines: &'a mut Lines,
    labels: Labels<'a>,
}

/// A sample's value.
pub(super) trait Value {
    /// Appends the value, written the same way in both formats.
    fn write(&self, line: &mut String);
}

impl Value for u64 {
    fn write(&self, line: &mut String) {
        match self {
            // Most samples: a status holds, or does not.
            0 => line.push('0'),
            1 => line.push('1'),
            _ => _ = write!(line, "{self}"),
        }
    }
}

impl Value for i64 {
    fn write(&self, line: &mut String) {
        let _ = write!(line, "{self}");
    }
}

impl Value for f64 {
    fn write(&self, line: &mut String) {
        let _ = write!(line, "{self}");
    }
}

impl Value for Timestamp {
    /// Seconds since 1970, with milliseconds if there are any.
    fn write(&self, line: &mut String) {
        let millis = self.as_millisecond();
        let _ = match millis.rem_euclid(1000) {
            0 => write!(line, "{}", millis / 1000),
            _ => write!(line, "{}", millis as f64 / 1000.0),
        };
    }
}

/// Label names and values, in the order of the catalog.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

impl Lines {
    /// An empty builder that leaves out items to stay within `limits`.
    pub fn new(limits: Limits, style: StatusStyle) -> Self {
        // Enough for most targets; what is not used is never touched.
        let text = String::with_capacity(32 * 1024);
        let spans = Vec::with_capacity(128);
        let wanted = PerPart::default();
        let shown = PerPart::default();
        let labels = String::new();
        Self { text, labels, spans, series: 0, counting: false, limits, wanted, shown, style }
    }

    /// Lines that begin with `labels`, at least one.
    pub(super) fn of<'a>(&'a mut self, labels: Labels<'a>) -> LinesOf<'a> {
        self.labels.clear();
        for (name, value) in labels.iter().filter(|_| !self.counting) {
            self.labels.push_str(if self.labels.is_empty() { "{" } else { "\"," });
            self.labels.push_str(name);
            self.labels.push_str("=\"");
            escape(value, &mut self.labels);
        }
        LinesOf { lines: self, labels }
    }

    /// Adds what `write` adds of a part, if there is room for all of it and for what is kept
    /// longer. Returns whether it was added. Call it after the floor was written, and first for
    /// what is kept longest. What is left out is counted.
    pub(super) fn thing(&mut self, part: Part, write: impl Fn(&mut Self)) -> bool {
        let place = part as usize;
        let is_closed =
            (place + 1..Part::ALL.len()).any(|part| self.shown[part] < self.wanted[part]);
        // In a part whose items are left out one by one, everything older goes, too.
        let is_closed =
            is_closed || (part != Part::PerNode && self.shown[place] < self.wanted[place]);
        let (series, text, spans) = (self.series, self.text.len(), self.spans.len());
        // The nodes of one command after another may be left out, each time thousands of lines.
        self.counting = is_closed || part == Part::PerNode;
        write(self);
        let is_written = !std::mem::take(&mut self.counting);
        let size = self.series - series;
        self.wanted[place] += size;
        let has_room = self.series <= self.limits.target
            && self.shown[place] + size <= self.limits.shares[place];
        let is_shown = has_room && !is_closed;
        if !(is_shown && is_written) {
            self.series = series;
            self.text.truncate(text);
            self.spans.truncate(spans);
            if let Some((_, _, end)) = self.spans.last_mut() {
                *end = (*end).min(text as u32);
            }
        }
        if is_shown && !is_written {
            write(self);
        }
        if is_shown {
            self.shown[place] += size;
        }
        is_shown
    }

    /// Number of all series, and of those left out of each part.
    pub fn demand(&self) -> (Demand, PerPart) {
        let floor = self.series - self.shown.iter().sum::<usize>();
        let dropped = std::array::from_fn(|part| self.wanted[part] - self.shown[part]);
        (Demand { floor, parts: self.wanted }, dropped)
    }

    /// The lines of all that was added.
    pub fn finish(self) -> SampleLines {
        let Self { text: added, spans: mut parts, series, .. } = self;
        parts.sort_by_key(|(position, ..)| *position);
        let mut text = String::with_capacity(added.len());
        let mut spans = Vec::<(usize, u32, u32)>::new();
        for (position, start, end) in parts {
            let at = text.len() as u32;
            text.push_str(&added[start as usize..end as usize]);
            match spans.last_mut() {
                Some((last, _, upto)) if *last == position => *upto = text.len() as u32,
                _ => spans.push((position, at, text.len() as u32)),
            }
        }
        SampleLines { text: text.into(), spans: spans.into(), series }
    }
}

impl LinesOf<'_> {
    /// How statuses are written.
    pub(super) fn style(&self) -> StatusStyle {
        self.lines.style
    }

    /// Adds one sample, with `more` labels.
    pub(super) fn sample(&mut self, family: &'static Family, more: Labels<'_>, value: impl Value) {
        self.line(family, ("", None), more, value);
    }

    /// Adds one sample, if there is a value.
    pub(super) fn optional(
        &mut self,
        family: &'static Family,
        more: Labels<'_>,
        value: Option<impl Value>,
    ) {
        if let Some(value) = value {
            self.line(family, ("", None), more, value);
        }
    }

    /// Adds one series per bucket, the sum and the count.
    pub(super) fn histogram(
        &mut self,
        family: &'static Family,
        more: Labels<'_>,
        histogram: &Histogram,
    ) {
        let mut cumulated = 0;
        for (bound, count) in Histogram::BOUNDS.iter().zip(histogram.buckets) {
            cumulated += count;
            self.line(family, ("_bucket", Some(&format!("{bound:?}"))), more, cumulated);
        }
        self.line(family, ("_bucket", Some("+Inf")), more, histogram.count);
        self.line(family, ("_sum", None), more, histogram.sum);
        self.line(family, ("_count", None), more, histogram.count);
    }

    /// Adds one line: of a histogram's bucket, with its bound `le`.
    fn line(
        &mut self,
        family: &'static Family,
        (suffix, le): (&str, Option<&str>),
        more: Labels<'_>,
        value: impl Value,
    ) {
        debug_assert!(
            !self.labels.is_empty()
                && self.labels.iter().chain(more).map(|(name, _)| name).eq(family.labels),
            "labels of {}: {:?}, {more:?}",
            family.name,
            self.labels
        );
        self.lines.series += 1;
        if self.lines.counting {
            return;
        }
        let Lines { text: line, labels, spans, .. } = &mut *self.lines;
        let start = line.len() as u32;
        line.push_str(family.name);
        line.push_str(suffix);
        line.push_str(labels);
        for ((_, value), separator) in more.iter().zip(&family.separators[self.labels.len()..]) {
            line.push_str(separator);
            escape(value, line);
        }
        if let Some(le) = le {
            line.push_str("\",le=\"");
            line.push_str(le);
        }
        line.push_str("\"} ");
        value.write(line);
        line.push('\n');
        let end = line.len() as u32;
        match spans.last_mut() {
            Some((last, _, upto)) if *last == family.position => *upto = end,
            _ => spans.push((family.position, start, end)),
        }
    }
}

/// Appends a label value, escaped as both formats require.
pub(super) fn escape(value: &str, line: &mut String) {
    let is_special = |byte: u8| matches!(byte, b'\\' | b'"' | b'\n');
    // Hardly any value has one; without an early exit, many bytes are compared at once.
    if !value.bytes().fold(false, |found, byte| found | is_special(byte)) {
        return line.push_str(value);
    }
    let mut rest = value;
    while let Some(place) = rest.bytes().position(is_special) {
        line.push_str(&rest[..place]);
        line.push_str(match rest.as_bytes()[place] {
            b'\\' => "\\\\",
            b'"' => "\\\"",
            _ => "\\n",
        });
        rest = &rest[place + 1..];
    }
    line.push_str(rest);
}

/// The words of a status to write, each with its value.
pub(super) fn words(
    style: StatusStyle,
    labels: &'static [&'static str],
    current: &'static str,
) -> impl Iterator<Item = (&'static str, u64)> {
    let words = labels.iter().map(move |word| (*word, u64::from(*word == current)));
    words.filter(move |(_, value)| style == StatusStyle::Full || *value > 0)
}

#[cfg(test)]
mod tests {
    use super::super::limits::{Limits, Part};
    use super::Lines;
    use crate::catalog::{EHPC_TASK_DURATION, EHPC_TASK_FIRST_SEEN, SWAS_COMMAND_LAST_EXIT_CODE};
    use crate::config::StatusStyle;
    use crate::model::Histogram;

    fn text(lines: Lines) -> String {
        lines.finish().text().to_owned()
    }

    #[test]
    fn labels_are_escaped_and_times_keep_their_milliseconds() {
        let mut lines = Lines::new(Limits::NONE, StatusStyle::Current);
        let labels = [("instance_id", "a"), ("command_name", "say \"备份\"\\\n")];
        lines.of(&labels).sample(&SWAS_COMMAND_LAST_EXIT_CODE, &[], -1i64);
        let labels = [("cluster_id", "c"), ("task_id", "t"), ("task_type", "AddComputes")];
        let time: jiff::Timestamp = "2024-07-11T06:37:16.250Z".parse().unwrap();
        lines.of(&labels).sample(&EHPC_TASK_FIRST_SEEN, &[], time);
        assert_eq!(
            text(lines),
            "aliyun_ehpc_task_first_seen_timestamp_seconds{cluster_id=\"c\",task_id=\"t\",task_type=\"AddComputes\"} 1720679836.25\n\
             aliyun_swas_command_last_exit_code{instance_id=\"a\",command_name=\"say \\\"备份\\\"\\\\\\n\"} -1\n"
        );
    }

    #[test]
    fn buckets_are_cumulated() {
        let mut histogram = Histogram::default();
        for seconds in [1, 45, 45, 9999] {
            histogram.observe(std::time::Duration::from_secs(seconds));
        }
        let mut lines = Lines::new(Limits::NONE, StatusStyle::Current);
        let labels = [("cluster_id", "c"), ("task_type", "t")];
        lines.of(&labels).histogram(&EHPC_TASK_DURATION, &[], &histogram);
        let text = text(lines);
        let value = |le: &str| {
            text.lines()
                .find(|line| line.contains(&format!("le=\"{le}\"")))
                .unwrap()
                .rsplit(' ')
                .next()
        };
        assert_eq!(
            (value("15.0"), value("60.0"), value("7200.0"), value("+Inf")),
            (Some("1"), Some("3"), Some("3"), Some("4"))
        );
        assert!(text.ends_with("_count{cluster_id=\"c\",task_type=\"t\"} 4\n"));
    }

    #[test]
    fn things_are_left_out_whole_and_with_all_that_is_older_or_goes_before_them() {
        let shown = |target, shares| {
            let mut lines = Lines::new(Limits { target, shares }, StatusStyle::Current);
            let line = |lines: &mut Lines, id: &str| {
                let labels = [("instance_id", "s"), ("command_name", id)];
                lines.of(&labels).sample(&SWAS_COMMAND_LAST_EXIT_CODE, &[], 0i64);
            };
            line(&mut lines, "floor");
            let mut shown = Vec::new();
            for (part, id, size) in [
                (Part::Open, "o1", 1),
                (Part::Open, "o2", 3),
                (Part::Open, "o3", 1),
                (Part::Ended, "e1", 2),
                (Part::PerNode, "n1", 5),
                (Part::PerNode, "n2", 1),
            ] {
                let added = lines.thing(part, |lines| (0..size).for_each(|_| line(lines, id)));
                shown.extend(added.then_some(id));
            }
            let (demand, dropped) = lines.demand();
            assert_eq!((demand.floor, demand.parts), (1, [6, 2, 5]));
            let lines = lines.finish();
            assert_eq!(
                (lines.series(), lines.text().lines().count()),
                (14 - dropped.iter().sum::<usize>(), lines.series())
            );
            (shown.join(" "), dropped)
        };
        assert_eq!(shown(14, [14; 3]), ("o1 o2 o3 e1 n1 n2".to_owned(), [0; 3]));
        assert_eq!(shown(13, [14; 3]), ("o1 o2 o3 e1 n1".to_owned(), [1, 0, 0]));
        assert_eq!(
            shown(12, [14; 3]),
            ("o1 o2 o3 e1 n2".to_owned(), [5, 0, 0]),
            "the nodes of another command"
        );
        assert_eq!(
            shown(7, [14; 3]),
            ("o1 o2 o3".to_owned(), [6, 2, 0]),
            "no node where an ended one is left out"
        );
        assert_eq!(shown(4, [14; 3]), ("o1".to_owned(), [6, 2, 4]), "o3 is older");
        assert_eq!(shown(0, [14; 3]), (String::new(), [6, 2, 5]), "the floor stays");
        assert_eq!(shown(14, [5, 2, 5]), ("o1 o2 o3 e1 n1".to_owned(), [1, 0, 0]));
        assert_eq!(shown(14, [14, 2, 4]), ("o1 o2".to_owned(), [6, 2, 1]));
    }
}
