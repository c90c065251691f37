//! `wire_enum!`: an enum for a word on the wire. Known words are variants, any other word is kept
//! as `Unknown`.

/// Declares an enum of the words that a field of the cloud's answers may have.
///
/// Words are compared in any letter case; an alias after `|` counts as the word before it. A word
/// that is not in the list is data, not an error: it is kept in `Unknown` and shown as `unknown`.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $word:literal $(| $alias:literal)*),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("The word `", $word, "`.")] $variant,)+
            /// An undocumented word, as it was sent.
            Unknown(Box<str>),
        }

        impl $name {
            /// Every known value, in the order of the vendor's documents.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),+];

            /// Every value that [`Self::label`] can return: the known words, then `unknown`.
            pub const LABELS: &'static [&'static str] = &[$($word,)+ "unknown"];

            /// Parses a word in any letter case.
            pub fn parse(word: &str) -> Self {
                $(if word.eq_ignore_ascii_case($word) $(|| word.eq_ignore_ascii_case($alias))* {
                    return Self::$variant;
                })+
                Self::Unknown(word.into())
            }

            /// The word as a label value, from a closed set: `unknown` for all others.
            pub fn label(&self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Unknown(_) => "unknown",
                }
            }

            /// Number of values with each label, zeros included.
            pub fn counts<'a>(
                values: impl Iterator<Item = &'a Self>,
            ) -> [(&'static str, usize); Self::LABELS.len()] {
                let mut counts = std::array::from_fn(|at| (Self::LABELS[at], 0));
                for value in values {
                    for (label, count) in &mut counts {
                        if *label == value.label() {
                            *count += 1;
                            break;
                        }
                    }
                }
                counts
            }

            /// The word to show to people: the one that was sent, if it is unknown.
            pub fn word(&self) -> &str {
                match self {
                    Self::Unknown(word) => word,
                    known => known.label(),
                }
            }

            /// Replaces an unknown word by what `clean` makes of it.
            pub(crate) fn clean(&mut self, clean: &dyn Fn(&str) -> String) {
                if let Self::Unknown(word) = self {
                    *word = clean(word).into();
                }
            }

            /// The unknown word, if this is one.
            pub fn unknown_word(&self) -> Option<&str> {
                match self {
                    Self::Unknown(word) => Some(word),
                    _ => None,
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer).map(|word| Self::parse(&word))
            }
        }
    };
}

pub(crate) use wire_enum;

#[cfg(test)]
#[allow(unreachable_pub)]
mod tests {
    wire_enum! {
        /// A word for the tests.
        Colour { Red = "Red" | "Crimson", Green = "Green" }
    }

    #[test]
    fn known_words_fold_letter_case_and_aliases() {
        assert_eq!(Colour::parse("rED"), Colour::Red);
        assert_eq!(Colour::parse("crimson").label(), "Red");
        assert_eq!(Colour::KNOWN, [Colour::Red, Colour::Green]);
        let seen = [Colour::Green, Colour::parse("Teal"), Colour::Green];
        assert_eq!(Colour::counts(seen.iter()), [("Red", 0), ("Green", 2), ("unknown", 1)]);
    }

    #[test]
    fn an_unknown_word_is_kept_but_never_a_label() {
        let teal = Colour::parse("Teal");
        assert_eq!(
            (teal.label(), teal.word(), teal.unknown_word()),
            ("unknown", "Teal", Some("Teal"))
        );
        let mut word = teal;
        word.clean(&str::to_uppercase);
        assert_eq!(word.word(), "TEAL");
        let mut known = Colour::Red;
        known.clean(&str::to_uppercase);
        assert_eq!(known, Colour::Red);
        assert_eq!(Colour::LABELS, ["Red", "Green", "unknown"]);
    }
}
