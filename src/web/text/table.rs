//! The table of texts that each language fills.

use jiff::Timestamp;

use crate::model::Reason;
use crate::target::Kind;
use crate::web::budget::Budget;
use crate::web::status::{AccountProblem, AccountStatus, ProblemKind};

/// A sentence about a number.
type OfOne = fn(usize) -> String;
/// A sentence about two numbers.
type OfTwo = fn(usize, usize) -> String;
/// A sentence about a text.
type OfText = fn(&str) -> String;

/// Declares the table. Its English texts say what each is for.
macro_rules! texts {
    ($($name:ident: $type:ty,)+) => {
        /// The texts of a language.
        #[derive(Debug)]
        pub(in crate::web) struct Texts {
            $(#[doc = concat!("`", stringify!($name), "` in `english.rs`.")] pub(in crate::web) $name: $type,)+
        }
    };
}

texts! {
    // The language.
    html_lang: &'static str,
    own_name: &'static str,
    // Punctuation.
    comma: &'static str,
    colon: &'static str,
    stop: &'static str,
    in_brackets: fn(&str, &str) -> String,
    and_more: fn(&str, usize) -> String,
    // Time, with {} for a duration.
    seconds: &'static str,
    minutes: &'static str,
    hours: &'static str,
    days: &'static str,
    just_now: &'static str,
    ago: &'static str,
    within: &'static str,
    overdue: &'static str,
    due: &'static str,
    // What the script says, with {} for a time, a duration, or a number.
    connection_lost: &'static str,
    connection_lost_title: &'static str,
    not_while_selected: &'static str,
    paused_for: &'static str,
    pause: &'static str,
    resume: &'static str,
    lists_changed: &'static str,
    // The head of the page.
    skip: &'static str,
    up: &'static str,
    built_from: &'static str,
    metrics: &'static str,
    configuration: &'static str,
    healthy: &'static str,
    ready: &'static str,
    documentation: &'static str,
    no_script: &'static str,
    refresh: &'static str,
    updated: &'static str,
    oldest_data: &'static str,
    more_checks: OfOne,
    // Names of things.
    overview: &'static str,
    lists_of: &'static str,
    attention: &'static str,
    target: &'static str,
    targets: &'static str,
    polls: &'static str,
    account: &'static str,
    accounts: &'static str,
    region: &'static str,
    server: &'static str,
    servers: &'static str,
    node: &'static str,
    nodes: &'static str,
    task: &'static str,
    tasks: &'static str,
    command: &'static str,
    commands: &'static str,
    invocations: &'static str,
    invocations_are: &'static str,
    jobs: &'static str,
    jobs_are: &'static str,
    series: &'static str,
    lists: &'static str,
    exporter: &'static str,
    api_calls: &'static str,
    running: &'static str,
    running_is: &'static str,
    failed_lately: &'static str,
    failed_is: &'static str,
    kind: fn(Kind) -> &'static str,
    word: fn(&str) -> &str,
    unknown_word: &'static str,
    reason: fn(Reason) -> &'static str,
    reason_advice: fn(Reason) -> Option<&'static str>,
    none: &'static str,
    // Columns.
    state: &'static str,
    status: &'static str,
    region_account: &'static str,
    region_quota: &'static str,
    data: &'static str,
    next_poll: &'static str,
    work: &'static str,
    what: &'static str,
    place: &'static str,
    progress: &'static str,
    last_step: &'static str,
    seen_for: &'static str,
    errors: &'static str,
    exit_code: &'static str,
    exit_codes: &'static str,
    codes: &'static str,
    ended_at: &'static str,
    created: &'static str,
    started: &'static str,
    ran_for: &'static str,
    last_status: &'static str,
    last_success: &'static str,
    interval: &'static str,
    credentials: &'static str,
    clock: &'static str,
    operation: &'static str,
    operations: &'static str,
    planned_per_minute: &'static str,
    calls_since_start: &'static str,
    not_ok: &'static str,
    field: &'static str,
    quota: &'static str,
    // The form and the pages of lists.
    search: &'static str,
    search_for: &'static str,
    search_hint: &'static str,
    clear: &'static str,
    any: &'static str,
    kind_label: &'static str,
    sort: &'static str,
    default_order: &'static str,
    sort_name: &'static str,
    sort_region: &'static str,
    sort_state: &'static str,
    sort_work: &'static str,
    sort_age: &'static str,
    sort_series: &'static str,
    has_running: &'static str,
    has_failed: &'static str,
    pages: &'static str,
    first_page: &'static str,
    previous_page: &'static str,
    next_page: &'static str,
    last_page: &'static str,
    page_of: OfTwo,
    of_all: OfTwo,
    all_of: OfOne,
    more: OfOne,
    not_shown: OfOne,
    no_match: &'static str,
    // States of targets.
    state_up: &'static str,
    state_down: &'static str,
    state_waiting: &'static str,
    state_stale: &'static str,
    state_troubled: &'static str,
    withdrawn: &'static str,
    none_yet: &'static str,
    none_before_first: &'static str,
    entries_missing: fn(u64) -> String,
    discovered: fn(&str, usize, usize) -> String,
    left_out: fn(usize, &str) -> String,
    count_running: OfOne,
    count_failed: OfOne,
    failing_for: &'static str,
    last_failure: &'static str,
    kept_found: &'static str,
    nothing_found: &'static str,
    kept_shown: &'static str,
    kept_withdrawn: &'static str,
    kept_none: &'static str,
    standing: fn(&str, usize, usize) -> String,
    // The checks.
    all_fresh: OfOne,
    no_targets: &'static str,
    targets_fail: fn(usize, usize, &str) -> String,
    too_old: fn(usize, usize, &str) -> String,
    lists_incomplete: fn(usize, usize, &str) -> String,
    without_values: OfOne,
    waiting: OfTwo,
    lists_whole: &'static str,
    accounts_well: &'static str,
    account_is: fn(&str, &str) -> String,
    operation_in: fn(&str, &str) -> String,
    said_of: fn(&str, &str) -> String,
    more_accounts: OfOne,
    more_budgets: OfOne,
    targets_above: OfOne,
    open_left_out: OfOne,
    calls_planned: fn(f64, f64) -> String,
    throttled: fn(&Budget, Timestamp) -> Option<String>,
    quota_too_small: fn(&str, f64, f64) -> String,
    series_of: OfTwo,
    series_above: OfTwo,
    series_left_out: OfTwo,
    have_failed: OfTwo,
    stuck: OfOne,
    not_run: fn(usize, &str) -> String,
    job_on: fn(&str, &str) -> String,
    runs: fn(usize, [usize; 3]) -> String,
    none_failed: OfOne,
    unknown_words_met: OfOne,
    exporter_well: &'static str,
    stands_by: &'static str,
    stands_by_until: &'static str,
    no_attention: &'static str,
    unsaved: OfText,
    not_in_force: OfText,
    // Tasks, commands, invocations.
    nothing_runs: &'static str,
    nothing_failed: &'static str,
    no_tasks: &'static str,
    no_commands: &'static str,
    no_invocations: &'static str,
    no_nodes: &'static str,
    no_step: &'static str,
    overdue_job: &'static str,
    guess: &'static str,
    guess_is: &'static str,
    ended: &'static str,
    ended_unwatched: &'static str,
    failed_with_code: &'static str,
    succeeded_since: &'static str,
    not_read_yet: &'static str,
    not_ended_yet: &'static str,
    every: &'static str,
    count_nodes: fn(u64) -> String,
    count_errors: fn(u64) -> String,
    exits_unknown: fn(u64) -> String,
    failed_on_nodes: OfTwo,
    others_on_servers: OfOne,
    // Pages of their own.
    cluster_is: fn(&str, &str) -> String,
    server_is: fn(&str, &str) -> String,
    nodes_are: fn(&str, &str) -> String,
    region_is: OfText,
    no_cluster: OfText,
    no_server: OfText,
    no_region: OfText,
    no_command: OfText,
    command_is: fn(&str, usize, usize) -> String,
    absent_because: &'static str,
    search_it: &'static str,
    to_overview: &'static str,
    // Accounts.
    problem_kind: fn(ProblemKind) -> &'static str,
    problem: fn(&AccountProblem, &AccountStatus) -> (String, String),
    logged_in: &'static str,
    expired: &'static str,
    expire: &'static str,
    never_expire: &'static str,
    expire_untold: &'static str,
    in_sync: &'static str,
    authorized: &'static str,
    not_called: &'static str,
    more_of_accounts: &'static str,
    behind: OfText,
    ahead: OfText,
    not_authorized_for: OfOne,
    count_not_authorized: OfOne,
    count_not_called: OfOne,
    authorized_of: OfTwo,
    // Budgets.
    api_budget: &'static str,
    api_budget_is: &'static str,
    more_of_api_budget: &'static str,
    no_calls: &'static str,
    more_than_quota: &'static str,
    number_of: fn(&str, &str) -> String,
    waited: OfOne,
    a_minute: OfText,
    outcome: OfText,
    // Unknown words.
    unknown_words: &'static str,
    unknown_words_are: &'static str,
    unknown_words_word: &'static str,
    missing_word: &'static str,
}

/// A number with its thousands separated by thin spaces.
pub(in crate::web) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
