//! Sample lines of one target, by family.

use std::fmt::Write;

use jiff::Timestamp;

use crate::catalog::Family;
use crate::config::StatusStyle;
use crate::model::Histogram;

/// Finished sample lines of one target, family by family in the order of the catalog.
#[derive(Debug, Default, PartialEq)]
pub struct Fragment {
    text: Box<str>,
    /// Position of the family, and where its lines begin and end.
    spans: Box<[(usize, u32, u32)]>,
    series: usize,
}

impl Fragment {
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

    /// How many series it holds.
    pub fn series(&self) -> usize {
        self.series
    }
}

/// Builds a [`Fragment`].
#[derive(Debug)]
pub struct Lines {
    /// Lines in the order in which they were added.
    text: String,
    /// Whose they are, as in a [`Fragment`].
    spans: Vec<(usize, u32, u32)>,
    series: usize,
    budget: usize,
    dropped: usize,
    /// How statuses are written.
    pub(super) style: StatusStyle,
}

/// A sample's value.
pub(super) trait Value {
    /// Appends it as it stands in both formats.
    fn write(&self, line: &mut String);
}

impl Value for u64 {
    fn write(&self, line: &mut String) {
        let _ = write!(line, "{self}");
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
    /// An empty builder that holds things to `budget` series.
    pub fn new(budget: usize, style: StatusStyle) -> Self {
        // As much as the own lines of a target take.
        let (text, spans) = (String::with_capacity(1024), Vec::with_capacity(16));
        Self { text, spans, series: 0, budget, dropped: 0, style }
    }

    /// Adds one sample.
    pub(super) fn sample(&mut self, family: &'static Family, labels: Labels<'_>, value: impl Value) {
        self.line(family, "", labels, value);
    }

    /// Adds one sample, if there is a value.
    pub(super) fn optional(&mut self, family: &'static Family, labels: Labels<'_>, value: Option<impl Value>) {
        if let Some(value) = value {
            self.line(family, "", labels, value);
        }
    }

    /// Adds one series per bucket, the sum and the count.
    pub(super) fn histogram(&mut self, family: &'static Family, labels: Labels<'_>, histogram: &Histogram) {
        let mut cumulated = 0;
        for (bound, count) in Histogram::BOUNDS.iter().zip(histogram.buckets) {
            cumulated += count;
            self.line(family, "_bucket", &with_le(labels, &format!("{bound:?}")), cumulated);
        }
        self.line(family, "_bucket", &with_le(labels, "+Inf"), histogram.count);
        self.line(family, "_sum", labels, histogram.sum);
        self.line(family, "_count", labels, histogram.count);
    }

    /// Adds what `write` adds, unless it is of something `ended` and would break the budget. Whether it was added.
    pub(super) fn item(&mut self, ended: bool, write: impl FnOnce(&mut Self)) -> bool {
        let (text, spans, series) = (self.text.len(), self.spans.len(), self.series);
        write(self);
        if !ended || self.series <= self.budget {
            return true;
        }
        self.text.truncate(text);
        self.spans.truncate(spans);
        self.dropped += self.series - series;
        self.series = series;
        false
    }

    /// How many series the budget has left out.
    pub(super) fn dropped(&self) -> usize {
        self.dropped
    }

    /// The fragment of all that was added.
    pub fn finish(self) -> Fragment {
        let Self { text: added, spans: mut parts, series, .. } = self;
        parts.sort_by_key(|(position, ..)| *position);
        let (mut text, mut spans) = (String::with_capacity(added.len()), Vec::<(usize, u32, u32)>::new());
        for (position, start, end) in parts {
            let at = text.len() as u32;
            text.push_str(&added[start as usize..end as usize]);
            match spans.last_mut() {
                Some((last, _, upto)) if *last == position => *upto = text.len() as u32,
                _ => spans.push((position, at, text.len() as u32)),
            }
        }
        Fragment { text: text.into(), spans: spans.into(), series }
    }

    fn line(&mut self, family: &'static Family, suffix: &str, labels: Labels<'_>, value: impl Value) {
        let names = labels.iter().map(|(name, _)| *name).filter(|name| *name != "le");
        debug_assert!(names.eq(family.labels.iter().copied()), "labels of {}: {labels:?}", family.name);
        let (start, line) = (self.text.len() as u32, &mut self.text);
        line.push_str(family.name);
        line.push_str(suffix);
        let mut open = '{';
        for (name, value) in labels {
            line.push(open);
            line.push_str(name);
            line.push_str("=\"");
            escape(value, line);
            line.push('"');
            open = ',';
        }
        line.push_str(if labels.is_empty() { " " } else { "} " });
        value.write(line);
        line.push('\n');
        self.spans.push((family.position, start, line.len() as u32));
        self.series += 1;
    }
}

fn with_le<'a>(labels: Labels<'a>, bound: &'a str) -> Vec<(&'a str, &'a str)> {
    labels.iter().copied().chain([("le", bound)]).collect()
}

/// Appends a label value as both formats want it.
pub(super) fn escape(value: &str, line: &mut String) {
    let mut rest = value;
    while let Some(place) = rest.bytes().position(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
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

#[cfg(test)]
mod tests {
    use super::Lines;
    use crate::catalog::{EHPC_TASK_DURATION, EHPC_TASK_FIRST_SEEN, SWAS_COMMAND_LAST_EXIT_CODE};
    use crate::config::StatusStyle;
    use crate::model::Histogram;

    fn text(lines: Lines) -> String {
        lines.finish().text().to_owned()
    }

    #[test]
    fn labels_are_escaped_and_times_keep_their_milliseconds() {
        let mut lines = Lines::new(10, StatusStyle::Current);
        let labels = [("instance_id", "a"), ("command_name", "say \"备份\"\\\n")];
        lines.sample(&SWAS_COMMAND_LAST_EXIT_CODE, &labels, -1i64);
        let labels = [("cluster_id", "c"), ("task_id", "t"), ("task_type", "AddComputes")];
        let time: jiff::Timestamp = "2024-07-11T06:37:16.250Z".parse().unwrap();
        lines.sample(&EHPC_TASK_FIRST_SEEN, &labels, time);
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
        let mut lines = Lines::new(100, StatusStyle::Current);
        lines.histogram(&EHPC_TASK_DURATION, &[("cluster_id", "c"), ("task_type", "t")], &histogram);
        let text = text(lines);
        let value =
            |le: &str| text.lines().find(|line| line.contains(&format!("le=\"{le}\""))).unwrap().rsplit(' ').next();
        assert_eq!(
            (value("30.0"), value("60.0"), value("7200.0"), value("+Inf")),
            (Some("1"), Some("3"), Some("3"), Some("4"))
        );
        assert!(text.ends_with("_count{cluster_id=\"c\",task_type=\"t\"} 4\n"));
    }

    #[test]
    fn beyond_the_budget_ended_things_are_left_out_whole_and_open_ones_stay() {
        let mut lines = Lines::new(1, StatusStyle::Current);
        for (id, ended) in [("a", false), ("b", false), ("c", true)] {
            let labels = [("instance_id", "s"), ("command_name", id)];
            lines.item(ended, |lines| lines.sample(&SWAS_COMMAND_LAST_EXIT_CODE, &labels, 0i64));
        }
        assert_eq!(lines.dropped(), 1);
        let fragment = lines.finish();
        assert_eq!((fragment.series(), fragment.text().lines().count()), (2, 2));
    }
}
