//! What the page says, in each language. A text that is missing in one of them is a compile error.

mod chinese;
mod english;
mod table;

use axum::http::{HeaderMap, header};

pub(super) use self::table::{Texts, grouped};

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lang {
    /// English.
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Lang {
    /// Its texts.
    pub(super) const fn texts(self) -> &'static Texts {
        match self {
            Self::English => &english::TEXTS,
            Self::Chinese => &chinese::TEXTS,
        }
    }

    /// The word for it in a URL.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// The language of this word in a URL.
    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::English, Self::Chinese].into_iter().find(|lang| lang.word() == word)
    }

    /// The other one.
    pub(super) fn other(self) -> Self {
        match self {
            Self::English => Self::Chinese,
            Self::Chinese => Self::English,
        }
    }

    /// The language that a reader prefers; English if neither is acceptable.
    pub(super) fn preferred(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT_LANGUAGE).iter();
        let ranges =
            values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
        let mut best = (Self::English, 0.0);
        for range in ranges {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let quality = match parameters.trim().strip_prefix("q=") {
                Some(quality) => quality.trim().parse().unwrap_or(0.0),
                None => 1.0,
            };
            let primary = tag.trim().split('-').next().unwrap_or_default().to_lowercase();
            let known = Self::parse(&primary).filter(|_| quality > best.1);
            best = known.map_or(best, |lang| (lang, quality));
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::Lang;

    #[test]
    fn a_reader_gets_the_language_that_is_preferred() {
        let lang = |accepted: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("accept-language", accepted.parse().unwrap());
            Lang::preferred(&headers)
        };
        for accepted in
            ["zh-CN,zh;q=0.9,en;q=0.8", "zh", "ZH-hant-TW", "fr, zh;q=0.3", "en;q=0.1, zh;q=0.2"]
        {
            assert_eq!(lang(accepted), Lang::Chinese, "{accepted}");
        }
        for accepted in ["", "*", "de", "en-GB,zh;q=0.9", "en,zh", "zh;q=0", "zh;q=x", ";;,,q=1"] {
            assert_eq!(lang(accepted), Lang::English, "{accepted}");
        }
        assert_eq!(Lang::preferred(&HeaderMap::new()), Lang::English);
    }
}
