//! What an estimate has to assume, because only the cloud knows it.

use std::time::Duration;

use crate::aliyun::op::{ListInstances, PAGE_SIZE};
use crate::config::Config;
use crate::poll::Load;
use crate::target::{Scope, Target};

use super::Scenario;
use super::kinds::window;

/// Assumptions about the cloud. Lists are assumed to be as long as their windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assumptions {
    /// Commands open at once in a busy cluster, if that many are followed.
    pub open_commands: usize,
    /// Tasks, commands or invocations that end per hour in each target when it is busy.
    pub ended_per_hour: f64,
    /// Nodes of each command.
    pub nodes: usize,
    /// How long a call takes.
    pub latency: Duration,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self {
            open_commands: 5,
            ended_per_hour: 6.0,
            nodes: 16,
            latency: Duration::from_millis(200),
        }
    }
}

/// Inputs of a target's cost in a scenario.
pub(super) fn load(
    config: &Config,
    target: &Target,
    scenario: Scenario,
    assumptions: &Assumptions,
) -> Load {
    let window = window(target);
    let pages = u32::try_from(window.div_ceil(PAGE_SIZE as usize)).unwrap_or(u32::MAX);
    let pages = pages.clamp(1, config.poll.history_max_pages);
    let listed =
        !matches!(&target.scope, Scope::EhpcInvocations(commands) if !commands.ids.is_empty());
    // Invocations have times, from which the order of their list is learned; the order of commands
    // is learned only from new entries.
    let ordered = matches!(&target.scope, Scope::SwasInvocations(_) | Scope::SwasRegion(_));
    let servers = target.members().count();
    let server_pages =
        u32::try_from(servers / ListInstances::PAGE_SIZE).unwrap_or(u32::MAX).saturating_add(1);
    let quiet = Load { pages, server_pages, listed, ordered, ..Load::QUIET };
    let open = match &target.scope {
        Scope::EhpcInvocations(_) => window.min(assumptions.open_commands),
        // Everything else that is open is among the newest, on pages that are read anyway.
        _ => 0,
    };
    match scenario {
        Scenario::Idle | Scenario::Base => quiet,
        Scenario::Busy => {
            Load { open, ended_per_hour: assumptions.ended_per_hour * servers as f64, ..quiet }
        }
    }
}
