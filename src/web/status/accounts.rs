//! The state of the accounts: credentials, permissions, clocks.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::model::{AccountState, LARGEST_SKEW, Lasts, Login, NOTABLE_SKEW, Permission};
use crate::web::budget::{Budget, Throttling};

/// Credentials are renewed minutes before they end; this near to it, they should have been.
const ENDING: SignedDuration = SignedDuration::from_secs(120);
/// Maximum actions named in a line.
const NAMED: usize = 4;

/// An account.
#[derive(Clone, Debug, Serialize)]
pub(in crate::web) struct AccountStatus {
    /// Its name.
    pub(in crate::web) name: String,
    /// Quota group whose budgets it uses.
    pub(in crate::web) quota_group: String,
    /// Its credentials.
    pub(in crate::web) credentials: CredentialsStatus,
    /// How far the cloud's clock is ahead of this machine's; absent until an answer shows it.
    pub(in crate::web) clock_skew_seconds: Option<f64>,
    /// Operations that its targets need.
    pub(in crate::web) operations: Vec<OperationStatus>,
    /// What is wrong with it, the worst first.
    pub(in crate::web) problems: Vec<AccountProblem>,
}

/// Credentials of an account.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in crate::web) struct CredentialsStatus {
    /// `none`, `unlimited` (a key that does not expire), `temporary`, or `untold` (temporary,
    /// without a known expiry).
    pub(in crate::web) kind: &'static str,
    /// When they expire, if known.
    pub(in crate::web) end: Option<Timestamp>,
}

/// An operation that an account needs.
#[derive(Clone, Debug, Serialize)]
pub(in crate::web) struct OperationStatus {
    /// Product.
    pub(in crate::web) product: &'static str,
    /// Operation.
    pub(in crate::web) operation: &'static str,
    /// RAM action.
    pub(in crate::web) action: String,
    /// Whether it is allowed; absent before the first answer.
    pub(in crate::web) authorized: Option<bool>,
    /// Number of targets for which it is refused.
    pub(in crate::web) refused_targets: usize,
}

/// What can be wrong with an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::web) enum ProblemKind {
    /// There are none.
    NoCredentials,
    /// The cloud refuses them.
    CredentialsRefused,
    /// They have expired, and there are no others.
    CredentialsEnded,
    /// They are about to expire, and there are no others.
    CredentialsEnding,
    /// They are in force, and cannot be renewed.
    CredentialsNotRenewed,
    /// RAM refuses operations.
    NotAuthorized,
    /// The clock of this machine is wrong.
    Clock,
    /// The cloud throttles operations.
    Throttled,
}

/// A problem of an account.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::web) struct AccountProblem {
    /// Kind of problem.
    pub(in crate::web) kind: ProblemKind,
    /// Whether it prevents anything from being polled now.
    pub(in crate::web) grave: bool,
    /// What is wrong.
    pub(in crate::web) message: String,
    /// Why, if known.
    pub(in crate::web) cause: Option<String>,
    /// What to do about it.
    pub(in crate::web) advice: String,
}

impl AccountStatus {
    /// The state of an account at `now`.
    pub(in crate::web) fn new(
        name: &str,
        quota_group: &str,
        state: AccountState,
        now: Timestamp,
    ) -> Self {
        let problems = [
            credentials(&state.login, now),
            permissions(&state.permissions),
            clock(state.clock_skew),
        ];
        let kind = match state.login.lasts {
            None => "none",
            Some(Lasts::Unlimited) => "unlimited",
            Some(Lasts::Untold) => "untold",
            Some(Lasts::Until(_)) => "temporary",
        };
        let mut problems: Vec<_> = problems.into_iter().flatten().collect();
        problems.sort_by_key(|problem| !problem.grave);
        Self {
            name: name.to_owned(),
            quota_group: quota_group.to_owned(),
            credentials: CredentialsStatus { kind, end: state.login.ends() },
            clock_skew_seconds: state.clock_skew.map(|skew| skew.as_secs_f64()),
            operations: state.permissions.into_iter().map(operation).collect(),
            problems,
        }
    }

    /// Adds how the cloud throttles its quota group's `budgets` at `now`.
    pub(in crate::web) fn throttled(mut self, budgets: &[Budget], now: Timestamp) -> Self {
        self.problems.extend(throttled(&self.quota_group, budgets, now));
        self.problems.sort_by_key(|problem| !problem.grave);
        self
    }
}

fn operation(permission: Permission) -> OperationStatus {
    let Permission { product, operation, action, is_granted, refused } = permission;
    OperationStatus { product, operation, action, authorized: is_granted, refused_targets: refused }
}

/// How the cloud throttles a quota group's operations, if that does harm.
fn throttled(quota_group: &str, budgets: &[Budget], now: Timestamp) -> Option<AccountProblem> {
    let is_harmed = |budget: &&Budget| {
        budget.group == quota_group && budget.throttling(now) >= Throttling::Short
    };
    let mut harmed: Vec<&Budget> = budgets.iter().filter(is_harmed).collect();
    harmed.sort_by(|a, b| a.worse(b, now));
    let worst = harmed.first()?;
    let more = match harmed.len() - 1 {
        0 => String::new(),
        1 => " and 1 more operation".to_owned(),
        more => format!(" and {more} more operations"),
    };
    Some(AccountProblem {
        kind: ProblemKind::Throttled,
        grave: true,
        message: format!("the cloud throttles {} in {}{more}", worst.operation, worst.region),
        cause: worst.throttled(now),
        advice:
            "see what else uses the account, raise its quota at Alibaba Cloud, or divide accounts[].quotas between the \
                 exporters of the account"
                .to_owned(),
    })
}

fn credentials(login: &Login, now: Timestamp) -> Option<AccountProblem> {
    let has_ended = login.ends().is_some_and(|end| end <= now);
    let is_ending = login.ends().is_some_and(|end| end.duration_since(now) < ENDING);
    let (kind, grave, message, advice) = match (&login.lasts, &login.trouble) {
        (None, None) => return None,
        (None, Some(_)) => (
            ProblemKind::NoCredentials,
            true,
            "there are no credentials",
            "check accounts[].credentials",
        ),
        (Some(_), _) if login.is_refused => (
            ProblemKind::CredentialsRefused,
            true,
            "the cloud refuses the credentials",
            "see below what it says of the targets, and check accounts[].credentials",
        ),
        (Some(_), _) if has_ended => (
            ProblemKind::CredentialsEnded,
            true,
            "the credentials have ended, and there are no new ones",
            "check where accounts[].credentials come from, and the clock of this machine",
        ),
        (Some(_), Some(_)) => (
            ProblemKind::CredentialsNotRenewed,
            false,
            "credentials cannot be renewed",
            "mend that while the present ones last; it is tried again all the time",
        ),
        (Some(_), None) if is_ending => (
            ProblemKind::CredentialsEnding,
            false,
            "the credentials are about to end, and there are no new ones",
            "check where accounts[].credentials come from",
        ),
        (Some(_), None) => return None,
    };
    let message = message.to_owned();
    let advice = advice.to_owned();
    Some(AccountProblem { kind, grave, message, cause: login.trouble.clone(), advice })
}

fn permissions(permissions: &[Permission]) -> Option<AccountProblem> {
    let refused: Vec<&Permission> =
        permissions.iter().filter(|of| of.is_granted == Some(false)).collect();
    let targets = refused.iter().map(|of| of.refused).max()?;
    let mut actions: Vec<&str> = refused.iter().map(|of| &*of.action).take(NAMED).collect();
    let more = format!("{} more", refused.len() - actions.len());
    actions.extend((refused.len() > NAMED).then_some(more.as_str()));
    let actions = actions.join(", ");
    let targets = if targets == 1 { "a target".to_owned() } else { format!("{targets} targets") };
    Some(AccountProblem {
        kind: ProblemKind::NotAuthorized,
        grave: true,
        message: format!("not authorized for {targets}: {actions}"),
        cause: None,
        advice: format!(
            "grant {actions} to the RAM user or role; aliyun-task-exporter doctor prints the policy"
        ),
    })
}

fn clock(skew: Option<SignedDuration>) -> Option<AccountProblem> {
    let skew = skew.filter(|skew| skew.abs() >= NOTABLE_SKEW)?;
    let side = if skew.is_positive() { "behind" } else { "ahead of" };
    let off = humantime::format_duration(Duration::from_secs(skew.abs().as_secs().unsigned_abs()));
    Some(AccountProblem {
        kind: ProblemKind::Clock,
        grave: skew.abs() >= LARGEST_SKEW,
        message: format!("the clock of this machine is {off} {side} the cloud's"),
        cause: None,
        advice: "set the clock of this machine: requests more than 15 minutes off are refused"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{AccountProblem, AccountStatus, ProblemKind};
    use crate::model::{AccountState, Lasts, Login, Permission};
    use crate::web::budget::{Budget, RestingStatus};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn problems(state: AccountState) -> Vec<(ProblemKind, bool, String)> {
        let status = AccountStatus::new("a", "g", state, at(100));
        status
            .problems
            .into_iter()
            .map(|problem| (problem.kind, problem.grave, problem.message))
            .collect()
    }

    fn login(lasts: Option<Lasts>, is_refused: bool, trouble: Option<&str>) -> AccountState {
        let trouble = trouble.map(str::to_owned);
        AccountState { login: Login { lasts, is_refused, trouble }, ..AccountState::default() }
    }

    fn kind(state: AccountState) -> Option<(ProblemKind, bool)> {
        problems(state).first().map(|(kind, grave, _)| (*kind, *grave))
    }

    #[test]
    fn credentials_are_wrong_in_five_ways() {
        let until = |second| Some(Lasts::Until(at(second)));
        for well in [None, Some(Lasts::Unlimited), Some(Lasts::Untold), until(220)] {
            assert_eq!(kind(login(well, false, None)), None, "{well:?}");
        }
        assert_eq!(
            kind(login(until(219), false, None)),
            Some((ProblemKind::CredentialsEnding, false))
        );
        assert_eq!(kind(login(None, false, Some("x"))), Some((ProblemKind::NoCredentials, true)));
        assert_eq!(
            kind(login(until(200), true, None)),
            Some((ProblemKind::CredentialsRefused, true))
        );
        assert_eq!(
            kind(login(until(100), false, Some("x"))),
            Some((ProblemKind::CredentialsEnded, true))
        );
        assert_eq!(
            kind(login(until(101), false, Some("x"))),
            Some((ProblemKind::CredentialsNotRenewed, false))
        );
        assert_eq!(
            kind(login(Some(Lasts::Unlimited), false, Some("x"))),
            Some((ProblemKind::CredentialsNotRenewed, false))
        );
    }

    #[test]
    fn a_clock_is_told_with_its_side_and_is_grave_once_requests_are_refused() {
        let skewed = |seconds| {
            problems(AccountState {
                clock_skew: Some(SignedDuration::from_secs(seconds)),
                ..AccountState::default()
            })
        };
        assert!(skewed(0).is_empty() && skewed(-59).is_empty());
        assert_eq!(
            skewed(725),
            [(
                ProblemKind::Clock,
                false,
                "the clock of this machine is 12m 5s behind the cloud's".to_owned()
            )]
        );
        assert_eq!(
            skewed(-900),
            [(
                ProblemKind::Clock,
                true,
                "the clock of this machine is 15m ahead of the cloud's".to_owned()
            )]
        );
    }

    #[test]
    fn what_the_cloud_throttles_is_a_problem_of_each_account_of_the_quota_group_if_it_harms() {
        let resting =
            RestingStatus { since: at(0), until: at(120), code: "Throttling.User".into() };
        let budget = |group: &str, region: &str, resting: Option<&RestingStatus>| Budget {
            group: group.into(),
            region: region.into(),
            operation: "ListTasks".into(),
            planned_per_minute: 12.0,
            quota_per_minute: 60.0,
            budget_per_minute: 60.0,
            resting: resting.cloned(),
            ..Budget::default()
        };
        let problems = |budgets: &[Budget]| {
            let status = AccountStatus::new("a", "g", AccountState::default(), at(60))
                .throttled(budgets, at(60));
            let told = |problem: AccountProblem| {
                (problem.kind, problem.message, problem.cause.unwrap_or_default())
            };
            status.problems.into_iter().map(told).collect::<Vec<_>>()
        };
        assert_eq!(problems(&[budget("g", "r", None), budget("other", "r", Some(&resting))]), []);
        let message = "the cloud throttles ListTasks in r".to_owned();
        let cause =
            "refused since 00:00 UTC (Throttling.User); tried again at 00:02 UTC; 12 needed"
                .to_owned();
        assert_eq!(
            problems(&[budget("g", "r", Some(&resting))]),
            [(ProblemKind::Throttled, message, cause)]
        );
        let regions: Vec<Budget> =
            (0..25).map(|number| budget("g", &format!("r{number:02}"), Some(&resting))).collect();
        let told = problems(&regions);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].1, "the cloud throttles ListTasks in r00 and 24 more operations");
        assert_eq!(
            problems(&regions[..2])[0].1,
            "the cloud throttles ListTasks in r00 and 1 more operation"
        );
        let untried = RestingStatus { until: at(-120), ..resting };
        assert_eq!(problems(&[budget("g", "r", Some(&untried))]), [], "no target needs it");
    }

    #[test]
    fn what_is_not_authorized_is_named_as_ram_calls_it_and_comes_before_a_warning() {
        let permission = |operation: &'static str, is_granted, refused| Permission {
            product: "EHPC",
            operation,
            action: format!("ehpc:{operation}"),
            is_granted,
            refused,
        };
        let mut permissions =
            vec![permission("ListTasks", Some(true), 0), permission("ListClusters", None, 0)];
        let clock_skew = Some(SignedDuration::from_secs(60));
        let state = |permissions: &[Permission]| AccountState {
            permissions: permissions.to_vec(),
            clock_skew,
            ..AccountState::default()
        };
        assert_eq!(kind(state(&permissions)), Some((ProblemKind::Clock, false)));
        permissions.push(permission("ListCommands", Some(false), 1));
        let told = problems(state(&permissions));
        assert_eq!(
            told[0],
            (
                ProblemKind::NotAuthorized,
                true,
                "not authorized for a target: ehpc:ListCommands".to_owned()
            )
        );
        permissions.extend(["A", "B", "C", "D"].map(|name| permission(name, Some(false), 3)));
        let status = AccountStatus::new("a", "g", state(&permissions), at(0));
        assert!(
            status.problems[0]
                .message
                .ends_with("3 targets: ehpc:ListCommands, ehpc:A, ehpc:B, ehpc:C, 1 more")
        );
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!(json["operations"][1]["authorized"], serde_json::Value::Null);
        assert_eq!(
            (&json["operations"][2]["authorized"], &json["credentials"]["kind"]),
            (&false.into(), &"none".into())
        );
    }
}
