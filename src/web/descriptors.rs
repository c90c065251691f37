//! How many files this process may open.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::debug;

/// The limit of open files, raised as far as this process may. The soft limit is low for the sake
/// of programs that call `select`, and those that this one starts would inherit it: it starts none.
pub(super) fn limit() -> u64 {
    let before = getrlimit(Resource::Nofile);
    let mut raised = before;
    raised.current = before.maximum;
    // It fails where that is forbidden, as by seccomp; the limit before then stays.
    let outcome = setrlimit(Resource::Nofile, raised);
    let limit = getrlimit(Resource::Nofile).current;
    debug!(?limit, before = ?before.current, ?outcome, "limit of open files");
    limit.unwrap_or(u64::MAX)
}
