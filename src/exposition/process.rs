//! The exporter's own Registry -> text, in both formats. The `prometheus` crate writes only 0.0.4,
//! and formats bucket bounds unlike OpenMetrics.

use std::fmt::Write;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::lines::escape;
use super::negotiate::Format;
use super::page::describe;
use crate::catalog::Kind;

/// Writes gathered families; OpenMetrics ends with its `# EOF`. Sample lines are the same in both.
pub fn process_metrics(families: &[MetricFamily], format: Format) -> String {
    let mut page = String::new();
    for family in families {
        write_family(family, format, &mut page);
    }
    if format == Format::OpenMetrics {
        page.push_str("# EOF\n");
    }
    page
}

fn write_family(family: &MetricFamily, format: Format, page: &mut String) {
    let kind = match family.get_field_type() {
        MetricType::COUNTER => Kind::Counter,
        MetricType::HISTOGRAM => Kind::Histogram,
        _ => Kind::Gauge,
    };
    let full = family.name();
    let base =
        if kind == Kind::Counter { full.strip_suffix("_total").unwrap_or(full) } else { full };
    let unit = ["seconds", "bytes"].into_iter().find(|unit| base.ends_with(&format!("_{unit}")));
    let name = if format == Format::OpenMetrics { base } else { full };
    describe(name, kind, unit, family.help(), format, page);
    for metric in family.get_metric() {
        match kind {
            Kind::Counter => line(
                page,
                base,
                "_total",
                metric.get_label(),
                None,
                metric.get_counter().get_value(),
            ),
            Kind::Gauge => {
                line(page, base, "", metric.get_label(), None, metric.get_gauge().get_value())
            }
            Kind::Histogram => histogram(page, base, metric),
        }
    }
}

fn histogram(page: &mut String, name: &str, metric: &Metric) {
    let histogram = metric.get_histogram();
    let labels = metric.get_label();
    for bucket in histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite()) {
        let bound = format!("{:?}", bucket.upper_bound());
        line(page, name, "_bucket", labels, Some(&bound), bucket.cumulative_count() as f64);
    }
    line(page, name, "_bucket", labels, Some("+Inf"), histogram.get_sample_count() as f64);
    line(page, name, "_sum", labels, None, histogram.get_sample_sum());
    line(page, name, "_count", labels, None, histogram.get_sample_count() as f64);
}

fn line(
    page: &mut String,
    name: &str,
    suffix: &str,
    labels: &[LabelPair],
    le: Option<&str>,
    value: f64,
) {
    page.push_str(name);
    page.push_str(suffix);
    let pairs =
        labels.iter().map(|pair| (pair.name(), pair.value())).chain(le.map(|bound| ("le", bound)));
    let mut open = '{';
    for (name, value) in pairs {
        let _ = write!(page, "{open}{name}=\"");
        escape(value, page);
        page.push('"');
        open = ',';
    }
    page.push_str(if open == ',' { "} " } else { " " });
    let _ = writeln!(page, "{value}");
}
