//! How many files this process may open.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::debug;

/// The limit of open files, after raising it as far as this process may. The soft limit is low only
/// for programs that call `select`. Started programs would inherit it, but this one starts none.
pub(super) fn limit() -> u64 {
    let before = getrlimit(Resource::Nofile);
    let mut raised = before;
    raised.current = before.maximum;
    // This fails where it is forbidden, as by seccomp; then the previous limit stays.
    let outcome = setrlimit(Resource::Nofile, raised);
    let limit = getrlimit(Resource::Nofile).current;
    debug!(?limit, before = ?before.current, ?outcome, "limit of open files");
    limit.unwrap_or(u64::MAX)
}
