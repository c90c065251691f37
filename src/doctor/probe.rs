//! Which operations to try, and with which parameters.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::action::Action;
use crate::aliyun::op::{
    Answer, DescribeCommandInvocations, DescribeInvocationResult, DescribeInvocations,
    EhpcListRegions, ListClusters, ListCommands, ListInstances, ListInvocationResults,
    ListInvocationStatus, ListTasks, Operation, SwasListRegions,
};
use crate::poll::{CallResult, needed};
use crate::target::{Scope, Target, polled};

/// Used where no real id is known: the cloud checks the permission before it looks up the id.
const NO_COMMAND: &str = "c-none";
/// Like [`NO_COMMAND`], for an invocation on a server.
const NO_INVOCATION: &str = "t-none";

/// An account's name, as targets hold it.
pub(super) type Name = Arc<str>;

/// An operation to try, on one of the targets that need it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trial {
    /// The operation.
    pub(super) action: Action,
    /// The target it is tried on.
    pub(super) target: Arc<Target>,
}

/// Each operation that `targets` need and that was not `called` yet, once for each account and
/// region: one list per account and region.
pub(super) fn trials(targets: Vec<Arc<Target>>, called: &[CallResult]) -> Vec<Vec<Trial>> {
    let is_known = |target: &Target, action| {
        let is_place = |result: &CallResult| {
            result.account == target.account && result.region == target.region
        };
        called.iter().any(|result| is_place(result) && result.action == action)
    };
    let mut places: BTreeMap<(Name, Arc<str>), Vec<Trial>> = BTreeMap::new();
    for target in polled(targets) {
        let place =
            places.entry((Arc::clone(&target.account), Arc::clone(&target.region))).or_default();
        for action in needed(&target) {
            let is_tried = place.iter().any(|trial| trial.action == action);
            if !is_tried && !is_known(&target, action) {
                place.push(Trial { action, target: Arc::clone(&target) });
            }
        }
    }
    places.into_values().collect()
}

/// Ids from earlier answers, for later calls.
#[derive(Debug, Default)]
pub(super) struct SampleIds {
    command: Option<SmolStr>,
    invocation: Option<SmolStr>,
}

impl SampleIds {
    /// The call with which to try an operation on a target.
    pub(super) fn question(&self, action: Action, target: &Target) -> Operation {
        let id = || Arc::clone(&target.id.id);
        match action {
            Action::ListTasks => ListTasks::running(id(), 1).into(),
            Action::ListCommands => ListCommands { cluster_id: id(), page: 1 }.into(),
            Action::ListInvocationStatus => {
                ListInvocationStatus { cluster_id: id(), command_id: self.command(target) }.into()
            }
            Action::ListInvocationResults => ListInvocationResults {
                cluster_id: id(),
                command_id: self.command(target),
                page: 1,
            }
            .into(),
            Action::DescribeInvocations => {
                DescribeInvocations { instance_id: id(), page: 1 }.into()
            }
            Action::DescribeInvocationResult => {
                let invoke_id = self.invocation.clone().unwrap_or_else(|| NO_INVOCATION.into());
                DescribeInvocationResult { instance_id: id(), invoke_id }.into()
            }
            Action::DescribeCommandInvocations => {
                DescribeCommandInvocations { invoke_id: None, page: 1 }.into()
            }
            Action::ListInstances => ListInstances { page: 1 }.into(),
            Action::ListClusters => ListClusters { page: 1 }.into(),
            Action::EhpcListRegions => EhpcListRegions.into(),
            Action::SwasListRegions => SwasListRegions.into(),
        }
    }

    /// A command of the target: one named by the user, else a listed one, else one that does not
    /// exist.
    fn command(&self, target: &Target) -> SmolStr {
        let named = match &target.scope {
            Scope::EhpcInvocations(commands) => commands.ids.first().map(|id| id.as_str().into()),
            _ => None,
        };
        named.or_else(|| self.command.clone()).unwrap_or_else(|| NO_COMMAND.into())
    }

    /// Notes the ids in an answer.
    pub(super) fn learn(&mut self, answer: &Answer) {
        match answer {
            Answer::ListCommands(page) => {
                self.command = page.items.first().map(|command| command.id.clone())
            }
            Answer::DescribeInvocations(page) => {
                let ended = page.items.iter().find(|invocation| !invocation.is_open());
                self.invocation =
                    ended.or(page.items.first()).map(|invocation| invocation.id.clone());
            }
            _ => {}
        }
    }

    /// Whether the call is about something that does not exist.
    pub(super) fn is_made_up(&self, operation: &Operation) -> bool {
        match operation {
            Operation::ListInvocationStatus(request) => *request.command_id == *NO_COMMAND,
            Operation::ListInvocationResults(request) => *request.command_id == *NO_COMMAND,
            Operation::DescribeInvocationResult(request) => *request.invoke_id == *NO_INVOCATION,
            _ => false,
        }
    }
}
