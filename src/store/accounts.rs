//! What is known about each account: its login, its permissions and its clock skew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;

use crate::action::Action;
use crate::model::{AccountState, Login, Permission, PermissionChange};
use crate::target::{Target, TargetId};

/// All accounts, by name.
#[derive(Debug, Default)]
pub struct Accounts(Mutex<BTreeMap<Arc<str>, Account>>);

#[derive(Debug, Default)]
struct Account {
    login: Login,
    clock_skew: Option<SignedDuration>,
    permissions: BTreeMap<Action, Answers>,
}

/// The cloud's answers to an operation.
#[derive(Debug, Default)]
struct Answers {
    /// Whether there was an answer.
    any: bool,
    /// Targets for which the last answer was a refusal.
    refused: BTreeSet<TargetId>,
}

impl Answers {
    fn is_granted(&self) -> Option<bool> {
        self.any.then_some(self.refused.is_empty())
    }
}

impl Accounts {
    /// Records an account's login.
    pub fn logged_in(&self, name: &Arc<str>, login: Login) {
        self.lock().entry(Arc::clone(name)).or_default().login = login;
    }

    /// Records how far the cloud's clock is ahead of this machine's.
    pub fn clock_skew(&self, name: &Arc<str>, skew: SignedDuration) {
        self.lock().entry(Arc::clone(name)).or_default().clock_skew = Some(skew);
    }

    /// Records that an account's targets need an operation.
    pub fn expect(&self, name: &Arc<str>, action: Action) {
        self.lock().entry(Arc::clone(name)).or_default().permissions.entry(action).or_default();
    }

    /// Records whether the cloud allowed an expected operation for a target. Returns whether no
    /// target of the account is refused it now; `None` if the account's targets no longer need it.
    pub fn permitted(
        &self,
        name: &Arc<str>,
        action: Action,
        target: &TargetId,
        is_allowed: bool,
    ) -> Option<bool> {
        let mut accounts = self.lock();
        let answers = accounts.get_mut(name)?.permissions.get_mut(&action)?;
        answers.any = true;
        if is_allowed {
            answers.refused.remove(target);
        } else {
            answers.refused.insert(target.clone());
        }
        answers.is_granted()
    }

    /// Sets the polled targets, and forgets what was answered for others. Returns the permission of
    /// each operation that was answered.
    pub fn retarget(&self, polled: &[Arc<Target>]) -> Vec<PermissionChange> {
        let ids: BTreeSet<&TargetId> = polled.iter().map(|target| &target.id).collect();
        let names: BTreeSet<&str> = polled.iter().map(|target| &*target.account).collect();
        let mut accounts = self.lock();
        let mut changes = Vec::new();
        for (name, account) in accounts.iter_mut() {
            for (action, answers) in
                account.permissions.iter_mut().filter(|(_, answers)| answers.any)
            {
                answers.refused.retain(|id| ids.contains(id));
                let is_granted = answers.is_granted().filter(|_| names.contains(&**name));
                changes.push(PermissionChange {
                    account: Arc::clone(name),
                    action: *action,
                    is_granted,
                });
            }
        }
        accounts.retain(|name, _| names.contains(&**name));
        changes
    }

    /// Forgets logins and clock skews: another configuration may have other accounts.
    pub fn forget_logins(&self) {
        for account in self.lock().values_mut() {
            account.login = Login::default();
            account.clock_skew = None;
        }
    }

    /// State of each account.
    pub fn states(&self) -> BTreeMap<Arc<str>, AccountState> {
        self.lock().iter().map(|(name, account)| (Arc::clone(name), account.state())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            permissions: self.permissions.iter().map(permission).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Accounts;
    use crate::action::Action;
    use crate::config::InvocationWindow;
    use crate::model::{Lasts, Login, PermissionChange};
    use crate::target::{Kind, Scope, Target, TargetId};

    const ACTION: Action = Action::DescribeInvocations;

    fn target(id: &str, account: &Arc<str>) -> Arc<Target> {
        Arc::new(Target {
            id: TargetId { kind: Kind::SwasInvocations, id: id.into() },
            account: Arc::clone(account),
            quota_group: Arc::clone(account),
            region: "r".into(),
            name: "n".into(),
            scope: Scope::SwasInvocations(InvocationWindow::default()),
        })
    }

    fn expecting(name: &Arc<str>) -> Accounts {
        let accounts = Accounts::default();
        accounts.expect(name, ACTION);
        accounts
    }

    #[test]
    fn an_operation_is_granted_once_no_target_is_refused_and_unknown_before_an_answer() {
        let name = Arc::from("a");
        let accounts = expecting(&name);
        let [one, two] = ["1", "2"].map(|id| target(id, &name));
        let told = || {
            let permission = accounts.states()["a"].permissions[0].clone();
            assert_eq!(permission.action, "swas-open:DescribeInvocations");
            (permission.is_granted, permission.refused)
        };
        let change = |is_granted| PermissionChange {
            account: Arc::clone(&name),
            action: ACTION,
            is_granted,
        };
        assert_eq!(told(), (None, 0));
        assert_eq!(accounts.permitted(&name, ACTION, &one.id, false), Some(false));
        assert_eq!(accounts.permitted(&name, ACTION, &two.id, true), Some(false));
        assert_eq!(told(), (Some(false), 1));
        assert_eq!(accounts.retarget(std::slice::from_ref(&two)), [change(Some(true))]);
        assert_eq!(told(), (Some(true), 0));
        assert_eq!(accounts.retarget(&[]), [change(None)]);
        assert!(accounts.states().is_empty());
        assert_eq!(
            accounts.permitted(&name, ACTION, &two.id, true),
            None,
            "an answer that comes late"
        );
        assert!(accounts.states().is_empty());
    }

    #[test]
    fn a_new_configuration_forgets_the_login_and_keeps_the_permissions() {
        let name = Arc::from("a");
        let accounts = expecting(&name);
        accounts.logged_in(&name, Login { lasts: Some(Lasts::Unlimited), ..Login::default() });
        accounts.permitted(&name, ACTION, &target("1", &name).id, true);
        accounts.forget_logins();
        let state = accounts.states()["a"].clone();
        assert_eq!((state.login, state.permissions[0].is_granted), (Login::default(), Some(true)));
    }
}
