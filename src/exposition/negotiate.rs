//! Format and encoding that a scraper wants, from Accept and Accept-Encoding with their q-values.

use http::{HeaderMap, header};

/// A format of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Prometheus text 0.0.4, the default.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// How the body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// Not encoded.
    Identity,
    /// gzip.
    Gzip,
}

impl Format {
    /// The format that `headers` request.
    pub fn wanted(headers: &HeaderMap) -> Self {
        let weight = |wanted: fn(&Choice<'_>) -> bool| best(headers, header::ACCEPT, wanted);
        let openmetrics = weight(|choice| {
            let versions = ["1.0.0", "0.0.1"];
            choice.name == "application/openmetrics-text"
                && choice.parameter("version").is_none_or(|version| versions.contains(&version))
        });
        let text = weight(|choice| {
            choice.name == "text/plain"
                && choice.parameter("version").is_none_or(|version| version == "0.0.4")
        });
        match openmetrics.is_some_and(|q| q > 0.0 && q >= text.unwrap_or(0.0)) {
            true => Self::OpenMetrics,
            false => Self::Text,
        }
    }

    /// Its Content-Type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Encoding {
    /// The encoding that `headers` request.
    pub fn wanted(headers: &HeaderMap) -> Self {
        let weight =
            |wanted: fn(&Choice<'_>) -> bool| best(headers, header::ACCEPT_ENCODING, wanted);
        let named = weight(|choice| choice.name == "gzip" || choice.name == "x-gzip");
        let gzip = named.or_else(|| weight(|choice| choice.name == "*")).unwrap_or(0.0);
        let identity = weight(|choice| choice.name == "identity").unwrap_or(0.0);
        if gzip > 0.0 && gzip >= identity { Self::Gzip } else { Self::Identity }
    }
}

/// An entry of an Accept header.
struct Choice<'a> {
    name: String,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Choice<'a> {
    fn parse(entry: &'a str) -> Self {
        let mut parts = entry.split(';');
        let name = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let parameters = parts.filter_map(|part| part.split_once('='));
        Self {
            name,
            parameters: parameters
                .map(|(key, value)| (key.trim(), value.trim().trim_matches('"')))
                .collect(),
        }
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }

    /// Its q, which is from 0 to 1; anything else refuses, as 0 does.
    fn weight(&self) -> f64 {
        let valid = |q: &f64| (0.0..=1.0).contains(q);
        self.parameter("q").map_or(1.0, |q| q.parse().ok().filter(valid).unwrap_or(0.0))
    }
}

/// The highest q of the entries of `header` that are `wanted`.
fn best(
    headers: &HeaderMap,
    header: header::HeaderName,
    wanted: fn(&Choice<'_>) -> bool,
) -> Option<f64> {
    let values = headers.get_all(header).into_iter().filter_map(|value| value.to_str().ok());
    let choices = values.flat_map(|value| value.split(',')).map(Choice::parse);
    choices.filter(wanted).map(|choice| choice.weight()).max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header};

    use super::{Encoding, Format};

    fn format(accept: &str) -> Format {
        Format::wanted(&HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]))
    }

    fn encoding(accept: &str) -> Encoding {
        Encoding::wanted(&HeaderMap::from_iter([(
            header::ACCEPT_ENCODING,
            accept.parse().unwrap(),
        )]))
    }

    #[test]
    fn openmetrics_is_sent_to_those_who_prefer_it_and_text_to_all_others() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(format(prometheus), Format::OpenMetrics);
        let escaping = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3";
        assert_eq!(format(escaping), Format::OpenMetrics);
        assert_eq!(
            format("text/plain;version=0.0.4,application/openmetrics-text;q=0.5"),
            Format::Text
        );
        assert_eq!(
            format("application/openmetrics-text;version=2.0.0,text/plain;q=0.1"),
            Format::Text
        );
        assert_eq!(format("application/openmetrics-text;q=0"), Format::Text);
        assert_eq!(format("*/*"), Format::Text);
        assert_eq!(Format::wanted(&HeaderMap::new()), Format::Text);
    }

    #[test]
    fn gzip_is_sent_only_to_those_who_take_it() {
        assert_eq!(encoding("gzip"), Encoding::Gzip);
        assert_eq!(encoding("deflate, GZIP;q=0.5"), Encoding::Gzip);
        assert_eq!(encoding("*"), Encoding::Gzip);
        assert_eq!(encoding("gzip;q=0, *"), Encoding::Identity);
        assert_eq!(encoding("gzip;q=0.2, identity;q=0.8"), Encoding::Identity);
        assert_eq!(encoding("br"), Encoding::Identity);
        assert_eq!(encoding("gzip;q=0.5, gzip;q=nan"), Encoding::Gzip, "a weight that is none");
        for none in ["nan", "inf", "-0.1", "1.1", "", "x"] {
            assert_eq!(encoding(&format!("gzip;q={none}")), Encoding::Identity, "{none}");
        }
        assert_eq!(Encoding::wanted(&HeaderMap::new()), Encoding::Identity);
    }
}
