//! Reports polling: log lines, and the counters beside them. A lasting problem is logged when it
//! begins and when it is over.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tracing::{debug, info, warn};

use super::rate_limiter::BudgetKey;
use super::scheduler::{Attempt, Throttling};
use super::tracker::{ListChange, Notice};
use crate::aliyun::op::{Decoded, Operation};
use crate::aliyun::{Attempted, THROTTLED_ADVICE, error_of};
use crate::model::{BudgetState, Failure, Reason};
use crate::self_metrics::SelfMetrics;
use crate::target::{Target, TargetId};

/// Maximum number of unknown words that are logged, once each.
const MAX_TOLD_WORDS: usize = 1000;

/// A target as log lines name it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    kind: &'static str,
    account: Option<&'a str>,
    region: Option<&'a str>,
    name: Option<&'a str>,
    target: &'a str,
}

impl<'a> Named<'a> {
    fn unknown(id: &'a TargetId) -> Self {
        Self { kind: id.kind.label(), target: &id.id, name: None, region: None, account: None }
    }
}

impl<'a> From<&'a Target> for Named<'a> {
    fn from(target: &'a Target) -> Self {
        let name = Some(&*target.name).filter(|name| !name.is_empty());
        Self {
            name,
            region: Some(&target.region),
            account: Some(&target.account),
            ..Self::unknown(&target.id)
        }
    }
}

impl<'a> From<&'a Attempt> for Named<'a> {
    fn from(attempt: &'a Attempt) -> Self {
        let Attempt { target, region, account, .. } = attempt;
        Self { region: Some(region), account: Some(account), ..Self::unknown(target) }
    }
}

/// Logs a line about a target.
macro_rules! tell {
    ($level:ident, $named:expr, $($rest:tt)+) => {{
        let Named { kind, account, region, name, target } = $named;
        $level!(kind, account, region, name, target, $($rest)+);
    }};
}

/// What has been logged so far.
#[derive(Debug)]
pub(super) struct Report {
    metrics: Arc<SelfMetrics>,
    targets: HashMap<TargetId, Arc<Target>>,
    failing: HashMap<TargetId, Reason>,
    /// Targets whose list is longer than may be read.
    truncated: HashSet<TargetId>,
    words: HashSet<(&'static str, &'static str, String)>,
    /// Operations of which unreadable entries were logged.
    pub(super) unreadable: HashSet<(&'static str, &'static str)>,
    pub(super) endpoints: BTreeSet<String>,
}

impl Report {
    /// A report that has logged nothing yet.
    pub(super) fn new(metrics: Arc<SelfMetrics>) -> Self {
        Self {
            metrics,
            targets: HashMap::new(),
            failing: HashMap::new(),
            truncated: HashSet::new(),
            words: HashSet::new(),
            unreadable: HashSet::new(),
            endpoints: BTreeSet::new(),
        }
    }

    /// Sets the targets, and forgets what was logged about others.
    pub(super) fn retarget<'a>(&mut self, targets: impl Iterator<Item = &'a Arc<Target>>) {
        let targets: HashMap<_, _> =
            targets.map(|target| (target.id.clone(), Arc::clone(target))).collect();
        for id in self.targets.keys().filter(|id| !targets.contains_key(id)) {
            tell!(debug, self.named(id), "no longer polled");
        }
        let before = std::mem::replace(&mut self.targets, targets);
        for id in self.targets.keys().filter(|id| !before.contains_key(id)) {
            tell!(debug, self.named(id), "polled from now on");
        }
        self.failing.retain(|id, _| self.targets.contains_key(id));
        self.truncated.retain(|id| self.targets.contains_key(id));
    }

    /// Forgets endpoint warnings, so that they are logged again under a new configuration.
    pub(super) fn forget_endpoints(&mut self) {
        self.endpoints.clear();
    }

    /// Warns about an endpoint, once.
    pub(super) fn endpoint(&mut self, warning: String) {
        if !self.endpoints.contains(&warning) {
            warn!(warning, "an endpoint may be wrong");
            self.endpoints.insert(warning);
        }
    }

    /// Logs a request that was made, or could not be.
    pub(super) fn request(&self, attempt: &Attempt, attempted: &Attempted) {
        let named = Named { name: self.named(&attempt.target).name, ..Named::from(attempt) };
        log_request(named, &attempt.operation, attempted);
    }

    /// Logs and counts what was not understood in an answer.
    pub(super) fn odd(&mut self, attempt: &Attempt, attempted: &Attempted) {
        if let Ok(Decoded { unknown, unreadable, .. }) = &attempted.outcome {
            for (field, word) in unknown {
                self.unknown(attempt, field, word);
            }
            self.unreadable(attempt, *unreadable);
        }
    }

    fn unknown(&mut self, attempt: &Attempt, field: &'static str, word: &str) {
        self.metrics.unknown_value(&attempt.operation, field);
        let operation = attempt.operation.name();
        if self.words.len() < MAX_TOLD_WORDS
            && self.words.insert((operation, field, word.to_owned()))
        {
            let message = "a word that this version does not know; it is shown as unknown";
            tell!(warn, self.named(&attempt.target), operation, field, word, "{message}");
        }
    }

    fn unreadable(&mut self, attempt: &Attempt, entries: u64) {
        if entries == 0 {
            return;
        }
        self.metrics.unreadable(&attempt.operation, entries);
        let product = attempt.operation.product().label();
        let operation = attempt.operation.name();
        if self.unreadable.insert((product, operation)) {
            tell!(
                warn,
                self.named(&attempt.target),
                product,
                operation,
                entries,
                "entries of the answer are left out: they have no id that can be used, or are about something else; \
                 this is told once, and counted in aliyun_task_exporter_unreadable_entries_total"
            );
        }
    }

    /// Logs and counts a tracker's notice.
    pub(super) fn notice(&mut self, id: &TargetId, notice: Notice) {
        match notice {
            Notice::Ended { id: thing, status, exit_code, is_failure } => {
                let rank = u64::from(is_failure);
                tell!(info, self.named(id), id = &*thing, status, exit_code, rank, "ended");
            }
            Notice::Lost { id: thing } => {
                self.metrics.lost(id.kind);
                tell!(
                    warn,
                    self.named(id),
                    id = &*thing,
                    "lost: it was open, and its end could not be determined"
                );
            }
            Notice::GivenUp { id: thing, cause } => {
                self.metrics.given_up(id.kind, cause);
                let cause = cause.label();
                tell!(info, self.named(id), id = &*thing, cause, "result given up");
            }
            Notice::Truncated => {
                self.metrics.truncated(id.kind);
                if self.truncated.insert(id.clone()) {
                    let message =
                        "the list is longer than poll.history_max_pages: the rest is skipped";
                    tell!(warn, self.named(id), "{message}");
                }
            }
            Notice::List(change) => self.list_changed(id, change),
            Notice::Discovered => tell!(debug, self.named(id), "the directory has changed"),
        }
    }

    fn list_changed(&self, id: &TargetId, change: ListChange) {
        let named = self.named(id);
        match change {
            ListChange::Missing(0) => tell!(info, named, "the lists are complete again"),
            ListChange::Missing(entries) => {
                let message = "a list is not whole: it counts entries that none of its pages show";
                tell!(warn, named, entries, "{message}");
            }
            ListChange::TotalWrong(entries) => {
                let message = "TotalCount exceeds what the list shows, always by the same: it is taken for wrong";
                tell!(info, named, entries, "{message}");
            }
        }
    }

    /// Handles the end of a poll: logs once that a target fails, and once that it has recovered.
    pub(super) fn poll_ended(&mut self, id: &TargetId, failure: Option<&Failure>) {
        self.metrics.poll_ended(id.kind, failure.map(|failure| failure.reason));
        match failure {
            Some(Failure { reason, message, advice }) => {
                if self.failing.insert(id.clone(), *reason) == Some(*reason) {
                    return;
                }
                let named = self.named(id);
                let label = reason.label();
                let advice = &**advice;
                match reason {
                    // Logged once for the operation, which thousands of targets may need.
                    Reason::Throttled => {
                        tell!(debug, named, reason = label, error = message, "poll failed")
                    }
                    _ => tell!(warn, named, reason = label, error = message, advice, "poll failed"),
                }
            }
            None => {
                let Some(reason) = self.failing.remove(id) else { return };
                let named = self.named(id);
                let label = reason.label();
                match reason {
                    Reason::Throttled => {
                        tell!(debug, named, reason = label, "poll succeeded again")
                    }
                    _ => tell!(info, named, reason = label, "poll succeeded again"),
                }
            }
        }
    }

    /// Logs that a target's next poll is overdue because the cloud throttles what it needs.
    pub(super) fn poll_overdue(&self, id: &TargetId, failure: &Failure) {
        tell!(debug, self.named(id), error = failure.message, "poll overdue");
    }

    /// Logs a change in how the cloud throttles an operation; `planned` is its planned calls per
    /// minute.
    pub(super) fn throttling(
        &self,
        key: &BudgetKey,
        change: Throttling,
        state: &BudgetState,
        planned: f64,
    ) {
        let [account, region, product, operation] = key.labels();
        let BudgetState { configured, in_force, resting, lowered } = state;
        let code = state.code().map(|code| &**code);
        let until = resting.as_ref().map(|resting| format!("{:.0}", resting.until));
        let retry = lowered.as_ref().map(|lowered| format!("{:.0}", lowered.retry_at));
        let planned = planned.ceil() as u64;
        macro_rules! tell_budget {
            ($level:ident, $($rest:tt)+) => {
                $level!(account, region, product, operation, code, configured, in_force, $($rest)+)
            };
        }
        match change {
            Throttling::Began => {
                let advice = THROTTLED_ADVICE;
                tell_budget!(
                    warn,
                    planned,
                    until,
                    retry,
                    advice,
                    "the cloud throttles an operation"
                );
            }
            Throttling::Lowered => {
                tell_budget!(
                    warn,
                    planned,
                    retry,
                    "fewer calls are made: the cloud has refused more"
                );
            }
            Throttling::TakenBack => {
                let message =
                    "not one call gets through: the budget is restored once the cloud answers";
                tell_budget!(info, until, "{message}");
            }
            Throttling::Over { since } => {
                let since = format!("{since:.0}");
                tell_budget!(info, since, "the cloud no longer throttles an operation");
            }
        }
    }

    fn named<'a>(&'a self, id: &'a TargetId) -> Named<'a> {
        self.targets.get(id).map_or_else(|| Named::unknown(id), |target| Named::from(&**target))
    }
}

/// Logs a request at level debug, without parameters, URL or secrets.
pub fn log_request(of: Named<'_>, operation: &Operation, attempted: &Attempted) {
    let product = operation.product().label();
    let operation = operation.name();
    let error = error_of(&attempted.outcome);
    let reason = error.map(|error| error.reason().label());
    let code = error.and_then(|error| error.code());
    let answer = attempted.answer.as_ref();
    let status = answer.map(|answer| answer.status);
    let bytes = answer.map(|answer| answer.bytes);
    let request_id = answer.and_then(|answer| answer.request_id.as_deref());
    let ms = attempted.took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    let error = error.map(ToString::to_string);
    tell!(
        debug, of, product, operation, status, code, reason, request_id, ms, bytes, error,
        "request"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use jiff::Timestamp;
    use tracing::level_filters::LevelFilter;

    use super::Report;
    use crate::action::Action;
    use crate::aliyun::THROTTLED_ADVICE;
    use crate::cli::LogFormat;
    use crate::config::InvocationWindow;
    use crate::logging;
    use crate::model::{BudgetState, Failure, GivenUp, Lowered, Reason, Resting};
    use crate::poll::{BudgetKey, Notice, Throttling};
    use crate::self_metrics::SelfMetrics;
    use crate::target::{Kind, Scope, Target, TargetId};

    fn servers(count: usize) -> Vec<Arc<Target>> {
        let server = |number| Target {
            id: TargetId { kind: Kind::SwasInvocations, id: format!("s{number}").into() },
            account: "prod".into(),
            quota_group: "prod".into(),
            region: if number % 2 == 0 { "cn-hangzhou".into() } else { "cn-shanghai".into() },
            name: if number == 0 { "".into() } else { format!("web-{number}").into() },
            scope: Scope::SwasInvocations(InvocationWindow::default()),
        };
        (0..count).map(server).map(Arc::new).collect()
    }

    fn failure(reason: Reason) -> Failure {
        Failure { reason, message: "ListTasks: no".into(), advice: "wait".into() }
    }

    /// Runs `tell`. Returns all log lines without their times, including those written when the
    /// process ends.
    fn told(count: usize, tell: impl FnOnce(&mut Report, &[Arc<Target>])) -> Vec<String> {
        let text = Arc::new(Mutex::new(String::new()));
        let write = {
            let text = Arc::clone(&text);
            move |line: &str| text.lock().unwrap().push_str(line)
        };
        let (subscriber, logging) =
            logging::subscriber(LevelFilter::INFO, LogFormat::Logfmt, write);
        logging::discard_elsewhere();
        tracing::subscriber::with_default(subscriber, || {
            let mut report = Report::new(Arc::new(SelfMetrics::new().unwrap()));
            let servers = servers(count);
            report.retarget(servers.iter());
            tell(&mut report, &servers);
        });
        drop(logging);
        let text = text.lock().unwrap();
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    #[test]
    fn two_targets_are_told_one_by_one_by_all_their_names() {
        let lines = told(2, |report, servers| {
            report.poll_ended(&servers[0].id, Some(&failure(Reason::Permission)));
            report.notice(
                &servers[1].id,
                Notice::Ended {
                    id: "t".into(),
                    status: "Failed".into(),
                    exit_code: Some(2),
                    is_failure: true,
                },
            );
            report.notice(
                &servers[1].id,
                Notice::GivenUp { id: "u".into(), cause: GivenUp::PushedOut },
            );
            report.poll_ended(&servers[0].id, None);
            report.poll_ended(&servers[0].id, None);
        });
        let of = [
            "account=prod region=cn-hangzhou target=s0",
            "account=prod region=cn-shanghai name=web-1 target=s1",
        ];
        let wanted = [
            format!(
                "level=warn msg=\"poll failed\" kind=swas_invocations {} reason=permission \
                 error=\"ListTasks: no\" advice=wait",
                of[0]
            ),
            format!(
                "level=info msg=ended kind=swas_invocations {} id=t status=Failed exit_code=2",
                of[1]
            ),
            format!(
                "level=info msg=\"result given up\" kind=swas_invocations {} \
                 id=u cause=pushed_out",
                of[1]
            ),
            format!(
                "level=info msg=\"poll succeeded again\" kind=swas_invocations {} reason=permission",
                of[0]
            ),
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn an_outage_of_ten_thousand_servers_is_a_few_lines_that_say_all_of_it() {
        let lines = told(10_000, |report, servers| {
            for (number, server) in servers.iter().enumerate() {
                let reason = if number == 5000 { Reason::Permission } else { Reason::Timeout };
                report.poll_ended(&server.id, Some(&failure(reason)));
            }
            for server in servers {
                report.poll_ended(&server.id, None);
            }
        });
        assert_eq!(lines.len(), 24, "{lines:#?}");
        let summary = |message: &str| {
            let of = format!("msg=\"{message} (folded)\" folded=9989 ");
            lines.iter().find(|line| line.contains(&of)).unwrap()
        };
        let failed = summary("poll failed");
        for part in [
            "level=warn ",
            " kind=swas_invocations account=prod reason=timeout error=\"ListTasks: no\" advice=wait targets=9989 ",
            " named=\"web-10 s10, web-11 s11, web-12 s12\"",
        ] {
            assert!(failed.contains(part), "{part}: {failed}");
        }
        assert!(summary("poll succeeded again").starts_with("level=info "));
        let odd = lines.iter().filter(|line| line.contains("target=s5000 reason=permission"));
        assert_eq!(odd.count(), 2, "what fails otherwise is not lost among the others: {lines:#?}");
    }

    #[test]
    fn an_operation_that_is_throttled_is_told_and_none_of_ten_thousand_targets_that_need_it() {
        let at = |time: &str| format!("2026-11-26T{time}Z").parse::<Timestamp>().unwrap();
        let key = BudgetKey {
            group: "prod".into(),
            region: "cn-hangzhou".into(),
            action: Action::DescribeInvocations,
        };
        let code = || "Throttling.User".into();
        let resting = Some(Resting { since: at("21:35:02"), until: at("21:36:00"), code: code() });
        let lowered = Lowered {
            since: at("21:35:02"),
            code: code(),
            refused_at: 110,
            retry_at: at("21:40:02"),
        };
        let state = BudgetState { configured: 900, in_force: 66, resting, lowered: Some(lowered) };
        let calm = BudgetState { configured: 900, in_force: 900, resting: None, lowered: None };
        let lines = told(10_000, |report, servers| {
            report.throttling(&key, Throttling::Began, &state, 119.5);
            for server in servers {
                report.poll_ended(&server.id, Some(&failure(Reason::Throttled)));
                report.poll_overdue(&server.id, &failure(Reason::Throttled));
                report.poll_ended(&server.id, None);
            }
            report.throttling(&key, Throttling::Over { since: at("21:35:02") }, &calm, 119.5);
        });
        let of = "account=prod region=cn-hangzhou product=SWAS operation=DescribeInvocations";
        let wanted = [
            format!(
                "level=warn msg=\"the cloud throttles an operation\" {of} code=Throttling.User configured=900 in_force=66 \
                 planned=120 until=2026-11-26T21:36:00Z retry=2026-11-26T21:40:02Z advice=\"{THROTTLED_ADVICE}\""
            ),
            format!(
                "level=info msg=\"the cloud no longer throttles an operation\" {of} configured=900 in_force=900 \
                 since=2026-11-26T21:35:02Z"
            ),
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn of_many_ends_those_that_failed_are_named() {
        let lines = told(300, |report, servers| {
            for (number, server) in servers.iter().enumerate() {
                let is_failure = number % 100 == 50;
                let status = if is_failure { "Timeout" } else { "Success" }.to_owned();
                let id = format!("t{number}").into();
                let ended = Notice::Ended { id, status, exit_code: None, is_failure };
                report.notice(&server.id, ended);
                report.notice(&server.id, Notice::Lost { id: "x".into() });
            }
        });
        assert_eq!(lines.len(), 22, "{lines:#?}");
        let ended = lines.iter().find(|line| line.contains("\"ended (folded)\"")).unwrap();
        let named = "by_status=\"Timeout 3, Success 287\" named=\"web-50 s50 t50 Timeout, web-150 s150 t150 Timeout, \
                     web-250 s250 t250 Timeout\"";
        assert!(ended.ends_with(named), "{ended}");
        assert!(lines.iter().any(
            |line| line.starts_with("level=warn msg=\"lost: ") && line.contains(" folded=290 ")
        ));
    }
}
