//! What is known of an account: its login, its permissions, and how far its clock is from the
//! cloud's.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::action::Action;

/// A clock further off than this is reported, though the cloud still answers.
pub const NOTABLE_SKEW: SignedDuration = SignedDuration::from_secs(60);
/// Maximum difference of the clocks; beyond it, the cloud refuses requests. Source: "Signatures" in
/// `docs/alibaba-cloud-api.md`.
pub const LARGEST_SKEW: SignedDuration = SignedDuration::from_mins(15);

/// How long credentials last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// A key that does not expire.
    Unlimited,
    /// Temporary credentials that something else renews; when they expire is unknown.
    Untold,
    /// Temporary credentials that expire at this time.
    Until(Timestamp),
}

/// How an account is logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// How long the credentials in use last; `None` if there are none.
    pub lasts: Option<Lasts>,
    /// Whether the cloud has refused them and there are no others.
    pub is_refused: bool,
    /// Why the last request for new ones failed, if it did.
    pub trouble: Option<String>,
}

impl Login {
    /// When the credentials expire, if known.
    pub fn ends(&self) -> Option<Timestamp> {
        match self.lasts {
            Some(Lasts::Until(time)) => Some(time),
            Some(Lasts::Unlimited | Lasts::Untold) | None => None,
        }
    }
}

/// Permission for an operation after an answer or a change of targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionChange {
    /// The account's name.
    pub account: Arc<str>,
    /// The operation.
    pub action: Action,
    /// Whether the account may call it; `None` if the account is gone.
    pub is_granted: Option<bool>,
}

/// Whether an account may call an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Product, as in the `product` label.
    pub product: &'static str,
    /// Operation.
    pub operation: &'static str,
    /// Its RAM action, such as `ehpc:ListTasks`.
    pub action: String,
    /// Whether no target's last answer was a refusal; `None` before the first answer.
    pub is_granted: Option<bool>,
    /// Number of targets for which it was refused.
    pub refused: usize,
}

/// What is known of an account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountState {
    /// How it is logged in.
    pub login: Login,
    /// How far the cloud's clock is ahead of this machine's; `None` before the first answer that
    /// shows it.
    pub clock_skew: Option<SignedDuration>,
    /// The permissions that its targets need, by product and operation.
    pub permissions: Vec<Permission>,
}
