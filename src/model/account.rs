//! What is known of an account: how it is logged in, what it may ask, and how far its clock is from
//! the cloud's.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::action::Action;

/// A clock further off than this is worth a word, though the cloud still answers.
pub const NOTABLE_SKEW: SignedDuration = SignedDuration::from_secs(60);
/// Further off than this, requests are refused. Source: "Signatures" in
/// `docs/alibaba-cloud-api.md`.
pub const LARGEST_SKEW: SignedDuration = SignedDuration::from_mins(15);

/// How long credentials last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// A key without an end.
    Unlimited,
    /// Temporary ones that something else renews: their end is not known.
    Untold,
    /// Temporary ones that end then.
    Until(Timestamp),
}

/// How an account is logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// How long the credentials in use last; `None` if there are none.
    pub lasts: Option<Lasts>,
    /// The cloud has refused them, and there are no others.
    pub is_refused: bool,
    /// Why new ones could not be had, if that was so the last time.
    pub trouble: Option<String>,
}

impl Login {
    /// When the credentials end, if that is known.
    pub fn ends(&self) -> Option<Timestamp> {
        match self.lasts {
            Some(Lasts::Until(time)) => Some(time),
            Some(Lasts::Unlimited | Lasts::Untold) | None => None,
        }
    }
}

/// How an operation stands for an account after an answer, or a change of the targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionChange {
    /// The account's name.
    pub account: Arc<str>,
    /// The operation.
    pub action: Action,
    /// Whether the account may ask for it; `None` if the account is gone.
    pub is_granted: Option<bool>,
}

/// Whether an account may ask for an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Product, as in the `product` label.
    pub product: &'static str,
    /// Operation.
    pub operation: &'static str,
    /// What RAM calls it, such as `ehpc:ListTasks`.
    pub action: String,
    /// Whether the last answer to each target was none that refused it; `None` before the first.
    pub is_granted: Option<bool>,
    /// For how many targets it was refused.
    pub refused: usize,
}

/// What is known of an account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountState {
    /// How it is logged in.
    pub login: Login,
    /// How far the cloud's clock is ahead of this machine's; `None` before the first answer that
    /// tells.
    pub clock_skew: Option<SignedDuration>,
    /// What its targets need, by product and operation.
    pub permissions: Vec<Permission>,
}
