//! What an estimate has to know about each kind of target.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use smol_str::SmolStr;

use crate::action::Action;
use crate::model::{
    BusinessStatus, ClusterListing, ClusterStatus, CommandType, DiscoveryReading,
    EhpcInvocationsReading, EhpcTasksReading, ErrorCode, Histogram, Invocation, InvocationResult,
    InvocationStatus, InvokeStatus, Job, LastInvocation, NodeCounts, NodeResult, NodeStatuses,
    Reading, ResourceListing, SeenEhpcInvocation, SeenEhpcTask, SeenSwasInvocation, ServerListing,
    ServerStatus, SwasInvocationsReading, Task, TaskStatus, TaskType,
};
use crate::poll::MAX_NAMES;
use crate::target::{Kind, Scope, Target};

/// Maximum number of things of a target that are followed or shown.
pub(super) fn window(target: &Target) -> usize {
    match &target.scope {
        Scope::EhpcTasks(window) => window.max_tasks,
        Scope::EhpcInvocations(commands) if commands.ids.is_empty() => commands.discover,
        Scope::EhpcInvocations(commands) => commands.ids.len(),
        Scope::SwasInvocations(window) | Scope::SwasRegionServer(window) => window.max_invocations,
        Scope::SwasRegion(servers) => servers.iter().map(|server| self::window(server)).sum(),
        Scope::Discovery(_) => 0,
    }
}

/// The history of a target that must be read to the end of its window, and the key of that window.
pub(super) fn list(target: &Target) -> Option<(Action, &'static str)> {
    match &target.scope {
        Scope::EhpcTasks(_) => Some((Action::ListTasks, "ehpc.tasks.max_tasks")),
        Scope::EhpcInvocations(commands) if commands.ids.is_empty() => {
            Some((Action::ListCommands, "ehpc.commands.discover"))
        }
        Scope::SwasInvocations(_) => Some((Action::DescribeInvocations, "swas.max_invocations")),
        Scope::SwasRegion(_) => Some((Action::DescribeCommandInvocations, "swas.max_invocations")),
        Scope::EhpcInvocations(_) | Scope::SwasRegionServer(_) | Scope::Discovery(_) => None,
    }
}

/// Readings from which series are counted.
pub(super) struct Examples {
    /// Nothing is listed.
    pub(super) empty: Reading,
    /// One thing is listed, which has ended.
    pub(super) one: Reading,
}

/// The examples of a kind; a command runs on this number of nodes.
pub(super) fn examples(kind: Kind, nodes: usize) -> Examples {
    match kind {
        Kind::EhpcTasks => {
            Examples { empty: Reading::EhpcTasks(EhpcTasksReading::default()), one: tasks() }
        }
        Kind::EhpcInvocations => Examples {
            empty: Reading::EhpcInvocations(EhpcInvocationsReading::default()),
            one: commands(nodes),
        },
        Kind::SwasInvocations | Kind::SwasRegion => Examples {
            empty: Reading::SwasInvocations(SwasInvocationsReading::default()),
            one: invocations(),
        },
        Kind::Discovery => Examples { empty: discovery(), one: discovery() },
    }
}

/// All that a directory may say about a target.
pub(super) fn listing(kind: Kind) -> Option<ResourceListing> {
    let one = Some(1);
    let nodes =
        NodeCounts { total: one, normal: one, operating: one, stopped: one, exception: one };
    Some(match kind {
        Kind::EhpcTasks => ResourceListing::Cluster(ClusterListing {
            status: Some(ClusterStatus::Running),
            managers: nodes,
            computes: nodes,
        }),
        Kind::SwasInvocations => ResourceListing::Server(ServerListing {
            status: Some(ServerStatus::Running),
            business_status: Some(BusinessStatus::Normal),
            expires: Some(Timestamp::UNIX_EPOCH),
        }),
        Kind::EhpcInvocations | Kind::SwasRegion | Kind::Discovery => return None,
    })
}

fn discovery() -> Reading {
    Reading::Discovery(DiscoveryReading::default())
}

fn tasks() -> Reading {
    let time = Timestamp::UNIX_EPOCH;
    let one = Some(1);
    let task_type = TaskType::AddComputes;
    let status = TaskStatus::Failed;
    let task = Task {
        id: "t".into(),
        task_type,
        status,
        current_step: one,
        steps: one,
        errors: Some(1),
        error_details: Arc::default(),
        nodes: Some(1),
    };
    let finished = Some(time);
    let first_step = one;
    let task = Arc::new(task);
    let seen = SeenEhpcTask { task, first_seen: time, last_progress: time, finished, first_step };
    let durations =
        TaskType::KNOWN.iter().map(|known| (known.clone(), Histogram::default())).collect();
    Reading::EhpcTasks(EhpcTasksReading {
        tasks: vec![seen],
        durations,
        ..EhpcTasksReading::default()
    })
}

fn commands(nodes: usize) -> Reading {
    let names: Vec<SmolStr> = (0..nodes).map(|node| node.to_string().into()).collect();
    let status = InvokeStatus::Failed;
    let result = |name: &SmolStr| NodeResult {
        instance_id: name.clone(),
        status: InvokeStatus::Failed,
        exit_code: Some(1),
        finished: Some(Timestamp::UNIX_EPOCH),
    };
    let results = Some(Arc::new(names.iter().map(result).collect()));
    let nodes = names.iter().map(|name| (name.clone(), status.clone())).collect();
    let invocation = Arc::new(NodeStatuses { status, nodes });
    let end_seen = Some(Timestamp::UNIX_EPOCH);
    let seen = SeenEhpcInvocation {
        id: "c".into(),
        invocation,
        results,
        is_outstanding: false,
        end_seen,
        timing: None,
    };
    Reading::EhpcInvocations(EhpcInvocationsReading {
        commands: vec![seen],
        ..EhpcInvocationsReading::default()
    })
}

fn invocations() -> Reading {
    let time = Some(Timestamp::UNIX_EPOCH);
    let status = InvocationStatus::Failed;
    let invocation = Invocation {
        id: "r".into(),
        command_name: "n".into(),
        command_type: CommandType::RunShellScript,
        status: status.clone(),
        record: Some(InvokeStatus::Failed),
        created: time,
    };
    let error = Some(ErrorCode::ExitCodeNonzero);
    let result = InvocationResult {
        status,
        record: invocation.record.clone(),
        exit_code: Some(1),
        error,
        error_text: None,
        started: time,
        finished: time,
    };
    let seen = SeenSwasInvocation {
        invocation: Arc::new(invocation),
        result: Some(Arc::new(result)),
        timing: None,
    };
    let last = Some(LastInvocation {
        status: InvocationStatus::Failed,
        exit_code: Some(1),
        finished: time,
    });
    let interval = Some(Duration::ZERO);
    let job = Job { name: SmolStr::default(), last, succeeded: time, created: time, interval };
    let named = |name: usize| Job { name: name.to_string().into(), ..job.clone() };
    let jobs = Arc::new((0..MAX_NAMES).map(named).collect());
    Reading::SwasInvocations(SwasInvocationsReading {
        invocations: vec![seen],
        jobs,
        ..SwasInvocationsReading::default()
    })
}
