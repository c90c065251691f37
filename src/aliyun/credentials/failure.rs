//! Why there is no credential.

/// Why there is no credential.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    /// This way to log in is not set up here.
    Absent(String),
    /// It is set up but does not work.
    Failed(String),
}

impl Failure {
    pub(super) fn absent(text: impl Into<String>) -> Self {
        Self::Absent(text.into())
    }

    pub(super) fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Absent(text) | Self::Failed(text) => text,
        }
    }

    /// The same failure, prefixed with what was being done.
    pub(super) fn while_doing(self, what: &str) -> Self {
        match self {
            Self::Absent(text) => Self::Absent(format!("{what}: {text}")),
            Self::Failed(text) => Self::Failed(format!("{what}: {text}")),
        }
    }

    /// Turns absence into a failure, for what was explicitly requested.
    pub(super) fn wanted(self) -> Self {
        Self::Failed(self.text().to_owned())
    }
}
