//! What is known of each account, plainly: for the status page, and for the gauges that say a part of it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;

use crate::action::Action;
use crate::model::{AccountState, Login, Permission};
use crate::target::{Target, TargetId};

/// All accounts, by name.
#[derive(Debug, Default)]
pub(super) struct Accounts(BTreeMap<Arc<str>, Account>);

#[derive(Debug, Default)]
struct Account {
    login: Login,
    clock_skew: Option<SignedDuration>,
    answers: BTreeMap<Action, Answers>,
}

/// What the cloud has answered to an operation.
#[derive(Debug, Default)]
struct Answers {
    /// There was an answer.
    any: bool,
    /// The identities that the last answer refused.
    refused: BTreeSet<TargetId>,
}

impl Answers {
    fn is_granted(&self) -> Option<bool> {
        self.any.then_some(self.refused.is_empty())
    }
}

impl Accounts {
    fn account(&mut self, name: &Arc<str>) -> &mut Account {
        self.0.entry(Arc::clone(name)).or_default()
    }

    /// How an account is logged in.
    pub(super) fn logged_in(&mut self, name: &Arc<str>, login: Login) {
        self.account(name).login = login;
    }

    /// How far the cloud's clock is ahead of this machine's.
    pub(super) fn clock_skew(&mut self, name: &Arc<str>, skew: SignedDuration) {
        self.account(name).clock_skew = Some(skew);
    }

    /// An account's targets need an operation.
    pub(super) fn expect(&mut self, name: &Arc<str>, action: Action) {
        self.account(name).answers.entry(action).or_default();
    }

    /// The cloud has answered a target, or has refused to. Whether it refuses none of them now.
    pub(super) fn answered(&mut self, name: &Arc<str>, action: Action, target: &TargetId, allowed: bool) -> bool {
        let answers = self.account(name).answers.entry(action).or_default();
        answers.any = true;
        if allowed {
            answers.refused.remove(target);
        } else {
            answers.refused.insert(target.clone());
        }
        answers.refused.is_empty()
    }

    /// The targets are now these: what was said of others is forgotten. Tells for each operation that was answered whether it
    /// is granted; `None` where its account is gone.
    pub(super) fn retarget(&mut self, targets: &[Target]) -> Vec<(Arc<str>, Action, Option<bool>)> {
        let ids: BTreeSet<&TargetId> = targets.iter().map(|target| &target.id).collect();
        let names: BTreeSet<&str> = targets.iter().map(|target| &*target.account).collect();
        let mut changed = Vec::new();
        for (name, account) in &mut self.0 {
            for (action, answers) in account.answers.iter_mut().filter(|(_, answers)| answers.any) {
                answers.refused.retain(|id| ids.contains(id));
                let is_granted = answers.is_granted().filter(|_| names.contains(&**name));
                changed.push((Arc::clone(name), *action, is_granted));
            }
        }
        self.0.retain(|name, _| names.contains(&**name));
        changed
    }

    /// The accounts may no longer be the same: how they are logged in, and how far their clouds' clocks are, is forgotten.
    pub(super) fn forget(&mut self) {
        for account in self.0.values_mut() {
            (account.login, account.clock_skew) = Default::default();
        }
    }

    /// What is known of each.
    pub(super) fn states(&self) -> BTreeMap<Arc<str>, AccountState> {
        self.0.iter().map(|(name, account)| (Arc::clone(name), account.state())).collect()
    }
}

impl Account {
    fn state(&self) -> AccountState {
        let permission = |(action, answers): (&Action, &Answers)| Permission {
            product: action.product().label(),
            operation: action.name(),
            action: action.ram_action(),
            is_granted: answers.is_granted(),
            refused: answers.refused.len(),
        };
        AccountState {
            login: self.login.clone(),
            clock_skew: self.clock_skew,
            permissions: self.answers.iter().map(permission).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Accounts;
    use crate::action::Action;
    use crate::config::InvocationWindow;
    use crate::model::{Lasts, Login};
    use crate::target::{Kind, Scope, Target, TargetId};

    const ASKED: Action = Action::DescribeInvocations;

    fn target(id: &str, account: &Arc<str>) -> Target {
        Target {
            id: TargetId { kind: Kind::SwasInvocations, id: id.into() },
            account: Arc::clone(account),
            quota_group: Arc::clone(account),
            region: "r".into(),
            name: "n".into(),
            scope: Scope::SwasInvocations(InvocationWindow::default()),
        }
    }

    #[test]
    fn an_operation_is_granted_once_nobody_is_refused_and_unknown_before_an_answer() {
        let (mut accounts, name) = (Accounts::default(), Arc::from("a"));
        let [one, two] = ["1", "2"].map(|id| target(id, &name));
        let told = |accounts: &Accounts| {
            let permission = accounts.states()["a"].permissions[0].clone();
            assert_eq!(permission.action, "swas-open:DescribeInvocations");
            (permission.is_granted, permission.refused)
        };
        accounts.expect(&name, ASKED);
        assert_eq!(told(&accounts), (None, 0));
        assert!(!accounts.answered(&name, ASKED, &one.id, false));
        assert!(!accounts.answered(&name, ASKED, &two.id, true));
        assert_eq!(told(&accounts), (Some(false), 1));
        assert_eq!(accounts.retarget(&[two]), [(Arc::clone(&name), ASKED, Some(true))]);
        assert_eq!(told(&accounts), (Some(true), 0));
        assert_eq!(accounts.retarget(&[]), [(name, ASKED, None)]);
        assert!(accounts.states().is_empty());
    }

    #[test]
    fn a_new_configuration_forgets_the_login_and_keeps_the_permissions() {
        let (mut accounts, name) = (Accounts::default(), Arc::from("a"));
        accounts.logged_in(&name, Login { lasts: Some(Lasts::Unlimited), ..Login::default() });
        accounts.answered(&name, ASKED, &target("1", &name).id, true);
        accounts.forget();
        let state = accounts.states()["a"].clone();
        assert_eq!((state.login, state.permissions[0].is_granted), (Login::default(), Some(true)));
    }
}
