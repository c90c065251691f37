//! The command invocations of a generated server.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::timing::{born, cadence, part, scaled};
use crate::sim::Settings;
use crate::sim::world::ids::Numbering;
use crate::sim::world::lineage::{Cadence, Generator};
use crate::sim::world::noise::Noise;
use crate::sim::world::{InvocationEnd, InvocationSpec};

/// How long an invocation stays listed, in seconds at normal speed.
const LISTED_FOR: f64 = 60.0;

/// Maximum time pending, running and stopping, in seconds.
const PENDING: f64 = 2.0;
const RUNNING: f64 = 14.0;
const STOPPING: f64 = 4.0;

/// Commands: name, type, content.
const SCRIPTS: [(&str, &str, &str); 5] = [
    ("backup-database", "RunShellScript", "mysqldump --all-databases | gzip > /backup/db.gz"),
    ("renew-certificate", "RunShellScript", "certbot renew --quiet"),
    ("rotate-logs", "RunShellScript", "logrotate -f /etc/logrotate.conf"),
    ("list-processes", "RunPowerShellScript", "Get-Process"),
    ("clean-temp", "RunBatScript", "del /q C:\\Temp\\*"),
];

/// Every third invocation is of this command, so each server has a command with an interval.
const REGULAR: (&str, &str, &str) =
    ("health-check", "RunShellScript", "curl -fsS http://localhost/health");

/// Every way to fail: the end, its error code, an exit code.
const BAD_ENDS: [(InvocationEnd, &str, i64); 20] = [
    (InvocationEnd::Failed, "ExitCodeNonzero", 1),
    (InvocationEnd::Timeout, "ExecutionTimeout", 0),
    (InvocationEnd::Failed, "ExitCodeNonzero", 2),
    (InvocationEnd::Error, "ExecutionException", 0),
    (InvocationEnd::Cancelled, "", 0),
    (InvocationEnd::Aborted, "ClientNotRunning", 0),
    (InvocationEnd::Failed, "ExitCodeNonzero", 127),
    (InvocationEnd::Invalid, "CommandNotApplicable", 0),
    (InvocationEnd::Terminated, "ExecutionInterrupted", 0),
    (InvocationEnd::Aborted, "InstanceNotRunning", 0),
    (InvocationEnd::Failed, "ExitCodeNonzero", -1_073_741_510),
    (InvocationEnd::Error, "DirectoryNotExists", 0),
    (InvocationEnd::Aborted, "DeliveryTimeout", 0),
    (InvocationEnd::Aborted, "ClientNotResponse", 0),
    (InvocationEnd::Invalid, "BadCronExpression", 0),
    (InvocationEnd::Error, "AccountNotExists", 0),
    (InvocationEnd::Aborted, "ClientIsUpgrading", 0),
    (InvocationEnd::Aborted, "InstanceReleased", 0),
    (InvocationEnd::Aborted, "ClientNeedUpgrade", 0),
    (InvocationEnd::Invalid, "InstanceNotExists", 0),
];

/// An endless stream of invocations.
#[derive(Debug)]
pub(crate) struct InvocationStream {
    noise: Noise,
    numbering: Numbering,
    cadence: Cadence,
    listed: usize,
    prefix: String,
    /// The server's index: servers fail in turn, so that some succeed and some fail at any moment.
    turn: i64,
    pending: SignedDuration,
    running: SignedDuration,
    stopping: SignedDuration,
}

impl InvocationStream {
    /// A stream that keeps the settings' number of invocations listed.
    pub(crate) fn new(settings: &Settings, noise: Noise, prefix: String, index: usize) -> Self {
        Self {
            noise,
            numbering: Numbering::new(noise.with(0)),
            cadence: cadence(settings, noise, LISTED_FOR / settings.invocations as f64),
            listed: settings.invocations,
            prefix,
            turn: index as i64,
            pending: scaled(settings, PENDING),
            running: scaled(settings, RUNNING),
            stopping: scaled(settings, STOPPING),
        }
    }

    /// Three of five succeed; the others go through all ways to fail.
    fn end(&self, number: i64) -> (InvocationEnd, &'static str, i64) {
        let turn = number + self.turn;
        match turn.rem_euclid(5) {
            slot @ (1 | 3) => {
                let bad = turn.div_euclid(5) * 2 + slot / 2 + self.turn * 7;
                BAD_ENDS[bad.rem_euclid(BAD_ENDS.len() as i64) as usize]
            }
            _ => (InvocationEnd::Success, "", 0),
        }
    }
}

impl Generator for InvocationStream {
    type Thing = InvocationSpec;

    fn cadence(&self) -> &Cadence {
        &self.cadence
    }

    fn listed(&self) -> usize {
        self.listed
    }

    fn longest_life(&self) -> SignedDuration {
        self.pending + self.running + self.stopping
    }

    fn make(&self, number: i64) -> InvocationSpec {
        let noise = self.noise.with(3).with(number as u64);
        let is_regular = number.rem_euclid(3) == 0;
        let (command_name, command_type, content) =
            if is_regular { REGULAR } else { noise.with(1).pick(SCRIPTS) };
        let (end, error_code, exit_code) = self.end(number);
        let stops = matches!(end, InvocationEnd::Cancelled | InvocationEnd::Terminated);
        let invocations = !matches!(
            end,
            InvocationEnd::Cancelled | InvocationEnd::Invalid | InvocationEnd::Aborted
        );
        let zero = SignedDuration::ZERO;
        InvocationSpec {
            id: self.numbering.word(&self.prefix, number),
            command_name: command_name.to_owned(),
            command_type: command_type.to_owned(),
            content: content.to_owned(),
            parameters: parameters(noise.with(2)),
            born: born(self, number),
            pending: part(self.pending, 0.3 + 0.7 * noise.with(3).unit()),
            running: if invocations {
                part(self.running, 0.1 + 0.9 * noise.with(4).unit())
            } else {
                zero
            },
            stopping: if stops {
                part(self.stopping, 0.3 + 0.7 * noise.with(5).unit())
            } else {
                zero
            },
            end,
            error_code: error_code.to_owned(),
            exit_code,
            output: if invocations { output(noise.with(6), end) } else { Vec::new() },
            timeout: None,
        }
    }

    fn number(&self, id: &str) -> Option<i64> {
        self.numbering.number_of_word(&self.prefix, id)
    }
}

/// One invocation in four has parameters.
fn parameters(noise: Noise) -> BTreeMap<String, String> {
    let some = [("name", "value 1"), ("count", "3")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    if noise.between(0, 3) == 0 { BTreeMap::from(some) } else { BTreeMap::new() }
}

/// What an invocation prints; a Windows server prints GBK, which is not UTF-8.
fn output(noise: Noise, end: InvocationEnd) -> Vec<u8> {
    match (end, noise.between(0, 9)) {
        (InvocationEnd::Success, 0) => vec![0xB3, 0xC9, 0xB9, 0xA6, b'\n'],
        (InvocationEnd::Success, _) => b"done\n".to_vec(),
        _ => b"step 1\nboom\n".to_vec(),
    }
}
