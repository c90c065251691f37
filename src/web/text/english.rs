//! English.

use super::table::{Texts, grouped};
use crate::model::Reason;
use crate::target::Kind;
use crate::web::budget::{Budget, calls};
use crate::web::status::ProblemKind;

/// `singular` for one, else `plural`.
fn word(count: usize, singular: &'static str, plural: &'static str) -> &'static str {
    if count == 1 { singular } else { plural }
}

/// A number of things.
fn many(count: usize, singular: &'static str, plural: &'static str) -> String {
    format!("{} {}", grouped(count), word(count, singular, plural))
}

/// Some of all targets, such as `3 of 5 targets`.
fn of_targets(count: usize, all: usize) -> String {
    format!("{} of {}", grouped(count), many(all, "target", "targets"))
}

pub(super) static TEXTS: Texts = Texts {
    html_lang: "en",
    own_name: "English",
    comma: ", ",
    colon: ": ",
    stop: ". ",
    in_brackets: |text, more| format!("{text} ({more})"),
    and_more: |names, more| format!("{names} and {} more", grouped(more)),
    seconds: "s",
    minutes: "min",
    hours: "h",
    days: "d",
    just_now: "just now",
    ago: "{} ago",
    within: "in {}",
    overdue: "{} overdue",
    due: "due",
    connection_lost: "Connection to the exporter lost since {}. Age of what is shown: ",
    connection_lost_title: "Connection lost",
    not_while_selected: "Not updated while text is selected. Age of what is shown: ",
    paused_for: "Paused. Age of what is shown: ",
    pause: "Pause updates",
    resume: "Resume updates",
    lists_changed: "Rows have come or gone: {}. Show the lists as they are now",
    skip: "Skip to the status",
    up: "up",
    built_from: "built from",
    metrics: "Metrics",
    configuration: "Configuration",
    healthy: "Healthy",
    ready: "Ready",
    documentation: "Documentation",
    no_script: "This page updates itself only with JavaScript.",
    refresh: "Refresh",
    updated: "Updated",
    oldest_data: "oldest data read",
    more_checks: |count| {
        let need = word(count, "needs", "need");
        format!("{} {need} attention too", many(count, "more check", "more checks"))
    },
    overview: "Overview",
    lists_of: "Lists",
    attention: "Needs attention",
    target: "Target",
    targets: "Targets",
    polls: "Polls",
    account: "Account",
    accounts: "Accounts",
    region: "Region",
    server: "Server",
    servers: "Servers",
    node: "Node",
    nodes: "Nodes",
    task: "Task",
    tasks: "E-HPC tasks",
    command: "Command",
    commands: "E-HPC commands",
    invocations: "SWAS invocations",
    invocations_are: "running first, then the newest",
    jobs: "Commands by name",
    jobs_are: "how the newest invocation ended",
    series: "Series",
    lists: "Lists of the cloud",
    exporter: "Exporter",
    api_calls: "API calls",
    running: "Running",
    running_is: "the longest first",
    failed_lately: "Failed, 24 h",
    failed_is: "the newest first; what was stopped on request is no failure",
    kind: |kind| match kind {
        Kind::EhpcTasks => "E-HPC tasks",
        Kind::EhpcInvocations => "E-HPC commands",
        Kind::SwasInvocations | Kind::SwasRegion => "SWAS invocations",
        Kind::Discovery => "Discovery",
    },
    word: |word| word,
    unknown_word: "a word that this version does not know",
    reason: |reason| match reason {
        Reason::Throttled => "throttled",
        Reason::Credentials => "credentials",
        Reason::Permission => "permission",
        Reason::Blocked => "blocked",
        Reason::NotFound => "not found",
        Reason::InvalidRequest => "invalid request",
        Reason::Account => "account",
        Reason::Conflict => "conflict",
        Reason::Clock => "clock",
        Reason::Service => "service",
        Reason::Timeout => "timeout",
        Reason::Dns => "DNS",
        Reason::Connect => "connect",
        Reason::Tls => "TLS",
        Reason::Proxy => "proxy",
        Reason::Transport => "transport",
        Reason::Decode => "decode",
        Reason::TooLarge => "too large",
    },
    reason_advice: |_| None,
    none: "none",
    state: "State",
    status: "Status",
    region_account: "Region, account",
    region_quota: "Region, quota",
    data: "Data",
    next_poll: "Next poll",
    work: "Work",
    what: "What",
    place: "Where",
    progress: "Progress",
    last_step: "Last step",
    seen_for: "For",
    errors: "Errors",
    exit_code: "Exit code",
    exit_codes: "Exit codes",
    codes: "Exit and error codes",
    ended_at: "Ended",
    created: "Created",
    started: "started",
    ran_for: "Ran for",
    last_status: "Last status",
    last_success: "Last success",
    interval: "Interval",
    credentials: "Credentials",
    clock: "Clock of this machine",
    operation: "Operation",
    operations: "Operations",
    planned_per_minute: "Planned per minute",
    calls_since_start: "Calls since start",
    not_ok: "Not ok",
    field: "Field",
    quota: "quota",
    search: "Search",
    search_for: "Search for",
    search_hint: "name or id",
    clear: "Clear",
    any: "any",
    kind_label: "Kind",
    sort: "Order",
    default_order: "by name",
    sort_name: "by name",
    sort_region: "by region",
    sort_state: "worst first",
    sort_work: "most failed first",
    sort_age: "oldest data first",
    sort_series: "most series first",
    has_running: "something runs",
    has_failed: "something failed, 24 h",
    pages: "Pages",
    first_page: "First",
    previous_page: "Previous",
    next_page: "Next",
    last_page: "Last",
    page_of: |page, pages| format!("Page {} of {}", grouped(page), grouped(pages)),
    of_all: |count, all| format!("{} of {}", grouped(count), grouped(all)),
    all_of: |count| format!("Show all {}", grouped(count)),
    more: |count| format!("{} more", grouped(count)),
    not_shown: |count| {
        format!("{} more {} not shown here:", grouped(count), word(count, "is", "are"))
    },
    no_match: "Nothing fits.",
    state_up: "up",
    state_down: "failing",
    state_waiting: "waiting",
    state_stale: "too old",
    state_troubled: "needs attention",
    withdrawn: "withdrawn",
    none_yet: "none yet",
    none_before_first: "none before the first poll",
    entries_missing: |count| {
        let entries = many(count as usize, "entry", "entries");
        format!("list incomplete: {entries} not shown")
    },
    discovered: |things, found, taken| match found == taken {
        true => format!("{things}: {} found", grouped(found)),
        false => format!("{things}: {} of {} taken", grouped(taken), grouped(found)),
    },
    left_out: |count, part| format!("{} left out, {}", grouped(count), part.replace('_', " ")),
    count_running: |count| format!("{} running", grouped(count)),
    count_failed: |count| format!("{} failed", grouped(count)),
    failing_for: "Failing for",
    last_failure: "Last failure",
    kept_found: "What was found before is still polled.",
    nothing_found: "Nothing has been found yet.",
    kept_shown: "The last good values are still shown and exported.",
    kept_withdrawn: "The last good values are too old and were withdrawn.",
    kept_none: "There are no values yet.",
    standing: |state, running, failed| {
        format!("{state}, {} running, {} failed in 24 h", grouped(running), grouped(failed))
    },
    all_fresh: |all| match all {
        1 => "The target is fresh".to_owned(),
        _ => format!("All {} targets are fresh", grouped(all)),
    },
    no_targets: "No targets: the configuration names none",
    targets_fail: |count, all, names| {
        format!("{} {}: {names}", of_targets(count, all), word(count, "fails", "fail"))
    },
    too_old: |count, all, names| {
        format!("The values of {} are too old to show: {names}", of_targets(count, all))
    },
    lists_incomplete: |count, all, names| {
        let lists = word(count, "list", "lists");
        let are = word(count, "is", "are");
        format!("The {lists} of {} {are} incomplete: {names}", of_targets(count, all))
    },
    without_values: |count| {
        format!("{} of them {} no fresh values", grouped(count), word(count, "has", "have"))
    },
    waiting: |count, all| {
        let wait = word(count, "waits", "wait");
        format!("{} {wait} for the first poll", of_targets(count, all))
    },
    lists_whole: "Every list was read to its end",
    accounts_well: "Every account is logged in",
    account_is: |name, problems| format!("Account {name}: {problems}"),
    operation_in: |operation, region| format!("{operation} in {region}"),
    said_of: |what, said| format!("{what}: {said}"),
    more_accounts: |count| {
        let are = word(count, "is", "are");
        format!("{} {are} not in order", many(count, "more account", "more accounts"))
    },
    more_budgets: |count| {
        let are = word(count, "is", "are");
        format!("{} {are} lowered or too small", many(count, "more budget", "more budgets"))
    },
    targets_above: |count| {
        let targets = many(count, "target", "targets");
        let have = word(count, "has", "have");
        format!(
            "{targets} {have} more series than metrics.max_series_per_target allows, of those that are never left out"
        )
    },
    open_left_out: |count| {
        format!(
            "Open tasks, commands or invocations of {} are left out of /metrics: raise metrics.max_series_per_target or \
             metrics.max_series",
            many(count, "target", "targets")
        )
    },
    calls_planned: |planned, share| {
        format!("{} a minute planned, {:.0} % of the tightest quota", calls(planned), share * 100.0)
    },
    throttled: Budget::throttled,
    quota_too_small: |what, planned, quota| {
        format!(
            "{what} needs {} calls a minute, and the quota allows {}: polls come later than planned",
            calls(planned),
            calls(quota)
        )
    },
    series_of: |shown, limit| format!("{} of at most {}", grouped(shown), grouped(limit)),
    series_above: |shown, limit| {
        format!(
            "/metrics has {} series though metrics.max_series is {}: counters, counts by status and last invocations of \
             commands alone exceed it, and are never left out",
            grouped(shown),
            grouped(limit)
        )
    },
    series_left_out: |series, targets| {
        format!(
            "{} series of {} are left out of /metrics: raise metrics.max_series_per_target or metrics.max_series, or shorten \
             the windows",
            grouped(series),
            many(targets, "target", "targets")
        )
    },
    stuck: |count| match count {
        1 => "1 task has not reached another step for an hour".to_owned(),
        _ => format!("{} tasks have not reached another step for an hour", grouped(count)),
    },
    not_run: |count, names| {
        format!("{} ran regularly and did not run when due: {names}", many(count, "job", "jobs"))
    },
    job_on: |job, server| format!("{job} on {server}"),
    have_failed: |count, mended| match mended {
        0 => format!("{} failed in the last 24 hours", grouped(count)),
        _ => format!(
            "{} failed in the last 24 hours and have not succeeded since; {} others have",
            grouped(count),
            grouped(mended)
        ),
    },
    runs: |all, [tasks, commands, invocations]| match all {
        0 => "Nothing is running".to_owned(),
        _ => format!(
            "{}, {}, {}",
            many(tasks, "task", "tasks"),
            many(commands, "command", "commands"),
            many(invocations, "invocation", "invocations")
        ),
    },
    none_failed: |mended| match mended {
        0 => "Nothing failed in the last 24 hours".to_owned(),
        _ => format!("{} failed in the last 24 hours and have succeeded since", grouped(mended)),
    },
    unknown_words_met: |count| {
        format!("The cloud used {} that this version does not know", many(count, "word", "words"))
    },
    exporter_well: "The configuration is in force",
    stands_by: "Standing by: another instance polls",
    stands_by_until: "It asks the cloud nothing and shows nothing of it; it takes over when the other one ends",
    no_attention: "Nothing does.",
    unsaved: |why| {
        format!(
            "What is known is not saved, so a restart would go back to what was saved before: {why}"
        )
    },
    not_in_force: |problems| {
        format!("The changed configuration is not in force, the one before is: {problems}")
    },
    nothing_runs: "Nothing is running.",
    nothing_failed: "Nothing failed in the last 24 hours.",
    no_tasks: "No tasks.",
    no_commands: "No commands.",
    no_invocations: "No invocations.",
    no_nodes: "No node is known yet.",
    no_step: "no step for ",
    overdue_job: "did not run when due",
    guess: "guessed end: ",
    guess_is: "A guess: as if each step took as long as those that were seen.",
    ended: "ended",
    ended_unwatched: "ended unwatched",
    failed_with_code: "failed by exit code",
    succeeded_since: "succeeded since",
    not_read_yet: "not read yet",
    not_ended_yet: "none ended yet",
    every: "every",
    count_nodes: |count| many(count as usize, "node", "nodes"),
    count_errors: |count| many(count as usize, "error", "errors"),
    exits_unknown: |count| format!("{} not known", grouped(count as usize)),
    failed_on_nodes: |failed, all| {
        format!("failed on {} of {}", grouped(failed), many(all, "node", "nodes"))
    },
    others_on_servers: |count| {
        let are = word(count, "is", "are");
        format!("{} more {are} on the pages of the servers.", grouped(count))
    },
    cluster_is: |name, standing| format!("Cluster {name}: {standing}"),
    server_is: |name, standing| format!("Server {name}: {standing}"),
    nodes_are: |id, status| format!("Command {id}: {status}"),
    region_is: |id| format!("Region {id}"),
    no_cluster: |id| format!("There is no cluster {id}"),
    no_server: |id| format!("There is no server {id}"),
    no_region: |id| format!("There are no targets in the region {id}"),
    no_command: |name| format!("There is no command {name}"),
    command_is: |name, failing, all| match failing {
        0 => format!("Command {name} on {}: none fails", many(all, "server", "servers")),
        _ => format!(
            "Command {name} fails on {} of {}",
            grouped(failing),
            many(all, "server", "servers")
        ),
    },
    absent_because: "It may have been deleted, left the window of what is shown, not been discovered yet since the exporter \
                     started, or be polled by another instance.",
    search_it: "Search for it",
    to_overview: "Show everything",
    problem_kind: |kind| match kind {
        ProblemKind::NoCredentials => "no credentials",
        ProblemKind::CredentialsRefused => "credentials refused",
        ProblemKind::CredentialsEnded => "credentials ended",
        ProblemKind::CredentialsEnding => "credentials ending",
        ProblemKind::CredentialsNotRenewed => "credentials not renewed",
        ProblemKind::NotAuthorized => "not authorized",
        ProblemKind::Clock => "clock",
        ProblemKind::Throttled => "throttled",
    },
    problem: |problem, _| (problem.message.clone(), problem.advice.clone()),
    logged_in: "logged in",
    expired: "expired",
    expire: "expire",
    never_expire: "never expire",
    expire_untold: "expire at a time that is not told",
    in_sync: "in sync",
    authorized: "authorized",
    not_called: "not called yet",
    more_of_accounts: "More accounts",
    behind: |duration| format!("{duration} behind"),
    ahead: |duration| format!("{duration} ahead"),
    not_authorized_for: |count| format!("not authorized for {}", many(count, "target", "targets")),
    count_not_authorized: |count| format!("{count} not"),
    count_not_called: |count| format!("{count} not called yet"),
    authorized_of: |count, all| format!("{count} of {all} authorized"),
    api_budget: "API budget",
    api_budget_is: "calls per minute the targets need, of those allowed",
    more_of_api_budget: "More of the API budget",
    no_calls: "No calls to the cloud.",
    more_than_quota: "more than the quota allows: polls come later than planned",
    number_of: |part, all| format!("{part} of {all}"),
    waited: |seconds| format!("waited {} s in all", grouped(seconds)),
    a_minute: |number| format!("{number} a minute"),
    outcome: |outcome| outcome.replace('_', " "),
    unknown_words: "Unknown words",
    unknown_words_are: "in the cloud's answers; shown as unknown on /metrics",
    unknown_words_word: "Word",
    missing_word: "(missing or empty)",
};
