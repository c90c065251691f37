//! Targets for the tests.

#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::{Commands, Filter, InvocationWindow, Pattern, TaskWindow};
use crate::model::{
    AccountState, CommandType, DiscoveredResource, DiscoveryReading, EhpcTasksReading, Failure,
    Invocation, InvocationStatus, Lasts, Login, Permission, Reading, Reason, SeenEhpcTask,
    SeenSwasInvocation, SeriesUse, SwasInvocationsReading, Task, TaskStatus, TaskType,
};
use crate::store::{Role, TargetState, View};
use crate::target::{DiscoveryKind, DiscoveryQuery, Kind, Scope, Target, TargetId};
use crate::web::budget::{Budget, LoweredStatus};
use crate::web::status::{AccountStatus, Facts, Work};

/// A time, in seconds after the tests' start.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

/// A target that waits for its first poll.
pub(super) fn waiting(kind: Kind, id: &str) -> View {
    let scope = match kind {
        Kind::EhpcTasks => Scope::EhpcTasks(TaskWindow::default()),
        Kind::EhpcInvocations => Scope::EhpcInvocations(Commands::default()),
        Kind::SwasInvocations | Kind::SwasRegion => {
            Scope::SwasInvocations(InvocationWindow::default())
        }
        Kind::Discovery => Scope::Discovery(search()),
    };
    let target = Arc::new(Target {
        id: TargetId { kind, id: id.into() },
        account: "a".into(),
        quota_group: "a".into(),
        region: "cn-hangzhou".into(),
        name: format!("name-of-{id}").into(),
        scope,
    });
    let state = TargetState::default();
    View {
        target,
        state,
        failure: None,
        failing_since: None,
        last_failure: None,
        read_at: None,
        reading: None,
    }
}

/// Looks for servers whose names begin with `web`.
fn search() -> DiscoveryQuery {
    let filter = Filter { include: Pattern::new("web.*").ok(), exclude: None };
    DiscoveryQuery { kind: DiscoveryKind::Servers, filter, interval: Duration::from_secs(600) }
}

/// A discovery target that has found servers with these names.
pub(super) fn discovery(id: &str, names: &[&str]) -> View {
    let found = |name: &&str| DiscoveredResource {
        id: format!("id-of-{name}").into(),
        name: (*name).into(),
        region: None,
    };
    let found = names.iter().map(found).collect();
    let reading = DiscoveryReading { found, ..DiscoveryReading::default() };
    fresh(Kind::Discovery, id, Reading::Discovery(reading))
}

/// A target whose values are fresh.
pub(super) fn fresh(kind: Kind, id: &str, reading: Reading) -> View {
    let stale_after = Some(Duration::from_secs(600));
    let state = TargetState {
        up: Some(true),
        next_poll: Some(at(30)),
        stale_after,
        ..TargetState::default()
    };
    View { state, read_at: Some(at(0)), reading: Some(Arc::new(reading)), ..waiting(kind, id) }
}

/// A server with invocations that have these names and statuses, the newest first.
pub(super) fn server(id: &str, invocations: &[(&str, &str)]) -> View {
    let invocation = |(age, (name, status)): (i64, &(&str, &str))| SeenSwasInvocation {
        timing: None,
        invocation: Arc::new(Invocation {
            id: format!("t-{age}").into(),
            command_name: (*name).into(),
            command_type: CommandType::RunShellScript,
            status: InvocationStatus::parse(status),
            record: None,
            created: Some(at(-age)),
        }),
        result: None,
    };
    let invocations = (0..).zip(invocations).map(invocation).collect();
    fresh(
        Kind::SwasInvocations,
        id,
        Reading::SwasInvocations(SwasInvocationsReading {
            invocations,
            ..SwasInvocationsReading::default()
        }),
    )
}

/// A cluster with tasks of these statuses.
pub(super) fn cluster(id: &str, statuses: &[&str]) -> View {
    let task = |(number, status): (usize, &&str)| SeenEhpcTask {
        task: Arc::new(Task {
            id: format!("task-{number}").into(),
            task_type: TaskType::AddComputes,
            status: TaskStatus::parse(status),
            current_step: Some(1),
            steps: Some(2),
            errors: None,
            error_details: Default::default(),
            nodes: None,
        }),
        first_seen: at(-60),
        last_progress: at(-6),
        finished: None,
        first_step: None,
    };
    let tasks = statuses.iter().enumerate().map(task).collect();
    fresh(
        Kind::EhpcTasks,
        id,
        Reading::EhpcTasks(EhpcTasksReading { tasks, ..EhpcTasksReading::default() }),
    )
}

/// `view` with its target failing.
pub(super) fn failing(view: View, reason: Reason, since: i64) -> View {
    let failure =
        Failure { reason, message: "ListTasks: <b>no</b>".into(), advice: "do something".into() };
    let last_failure = Some((failure.clone(), at(since)));
    View { failure: Some(failure), failing_since: Some(at(since)), last_failure, ..view }
}

/// `view` with its values withdrawn.
pub(super) fn withdrawn(view: View) -> View {
    View { reading: None, ..view }
}

/// An exporter with these targets.
pub(super) fn facts(views: Vec<View>) -> Facts {
    let series = SeriesUse { shown: 5, limit: 200_000, floor: 4, targets_above: 0 };
    let accounts = vec![account("a", None)];
    let budgets = Vec::new();
    let unknown_words = Vec::new();
    let role = Role::default();
    let work = Work::of_all(&views, at(0));
    Facts {
        version: "1.2.3",
        revision: "abc",
        started: at(-90),
        role,
        series,
        target_series: BTreeMap::new(),
        views,
        work,
        accounts,
        budgets,
        unknown_words,
        telemetry_path: "/metrics".into(),
        error_texts: false,
    }
}

fn permission(operation: &'static str, is_granted: Option<bool>) -> Permission {
    let action = format!("ehpc:{operation}");
    let refused = usize::from(is_granted == Some(false));
    Permission { product: "EHPC", operation, action, is_granted, refused }
}

/// An account in order, whose credentials end at a second, or never.
pub(super) fn account(name: &str, end: Option<i64>) -> AccountStatus {
    let lasts = Some(end.map_or(Lasts::Unlimited, |second| Lasts::Until(at(second))));
    let state = AccountState {
        login: Login { lasts, ..Login::default() },
        clock_skew: Some(SignedDuration::ZERO),
        permissions: vec![permission("ListTasks", Some(true)), permission("ListCommands", None)],
    };
    AccountStatus::new(name, name, state, at(0))
}

/// An account in which everything is wrong.
pub(super) fn troubled(name: &str) -> AccountStatus {
    let state = AccountState {
        login: Login {
            lasts: Some(Lasts::Until(at(-60))),
            is_refused: false,
            trouble: Some("no file <b>".into()),
        },
        clock_skew: Some(SignedDuration::from_secs(720)),
        permissions: vec![permission("ListTasks", Some(false))],
    };
    AccountStatus::new(name, name, state, at(0))
}

/// A budget that was lowered a minute before the tests' start, with this planned load.
pub(super) fn throttled_budget(planned_per_minute: f64) -> Budget {
    let code = "Throttling.User".into();
    Budget {
        group: "a".into(),
        region: "cn-hangzhou".into(),
        product: "SWAS".into(),
        operation: "DescribeInvocations".into(),
        quota_per_minute: 900.0,
        budget_per_minute: 66.0,
        planned_per_minute,
        lowered: Some(LoweredStatus {
            since: at(-60),
            code,
            refused_at_per_minute: 110,
            retry_at: at(300),
        }),
        ..Budget::default()
    }
}
