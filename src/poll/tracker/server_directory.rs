//! The servers of a region, from ListInstances: only that distinguishes a server without
//! invocations from one that does not exist.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Limits;
use super::directory::{Directory, Progress};
use super::pager::{Change, Trust};
use crate::aliyun::op::ListInstances;
use crate::model::{DirectoryEntry, Failure, Page};
use crate::poll::time::{after, later};

/// Delay before a reading that failed for a transient reason is retried.
const RETRY_AFTER: Duration = Duration::from_secs(120);

/// What ListInstances has returned, and when to call it again.
#[derive(Debug, Default)]
pub(super) struct ServerDirectory {
    servers: Directory,
    due: Option<Timestamp>,
    /// Why there is no reading, if the last one failed and there was none before.
    failure: Option<Failure>,
}

impl ServerDirectory {
    /// Whether to start or resume a reading now. One reading is enough for a while, whether it
    /// succeeds or not.
    pub(super) fn begin(&mut self, limits: &Limits, now: Timestamp) -> bool {
        let is_due = self.due.is_none_or(|due| due <= now);
        if is_due {
            self.due = Some(after(now, limits.history_interval));
        } else if self.servers.page().is_none() {
            return false;
        }
        self.servers.begin(ListInstances::PAGE_SIZE as u32);
        true
    }

    pub(super) fn ask(&self) -> Option<ListInstances> {
        self.servers.page().map(|page| ListInstances { page })
    }

    /// Handles a page. Returns changes to report to the user, if the reading has ended.
    pub(super) fn listed(
        &mut self,
        page: Page<DirectoryEntry>,
        now: Timestamp,
    ) -> Option<Vec<Change>> {
        match self.servers.read(page, now, |_| true) {
            Progress::Next => None,
            Progress::Read(changes) => {
                self.failure = None;
                Some(changes)
            }
        }
    }

    /// Whether the servers are known at all.
    pub(super) fn is_known(&self) -> bool {
        self.servers.is_whole()
    }

    /// How far its total can be trusted, and what the last readings have not shown.
    pub(super) fn trust(&self) -> &Trust {
        self.servers.trust()
    }

    /// The reading failed; what was known before still holds.
    pub(super) fn failed(&mut self, failure: &Failure, now: Timestamp) {
        if failure.reason.may_pass() {
            self.due = self.due.min(Some(after(now, RETRY_AFTER)));
        }
        self.servers.failed();
        self.failure = (!self.servers.is_whole()).then(|| failure.clone());
    }

    /// Whether the region certainly has no such server.
    pub(super) fn lacks(&self, id: &str) -> bool {
        self.servers.lacks(id)
    }

    /// Why the servers are unknown.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Pages of a reading, as far as known.
    pub(super) fn pages(&self) -> u32 {
        u32::try_from(self.servers.found().count() / ListInstances::PAGE_SIZE)
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }

    /// Moves its time by `step`, after this machine's clock was set back.
    pub(super) fn shift(&mut self, step: SignedDuration) {
        self.due = self.due.map(|due| later(due, step));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::ServerDirectory;
    use crate::aliyun::op::ListInstances;
    use crate::model::{DirectoryEntry, DiscoveredResource, Failure, Page, Reason};
    use crate::poll::tracker::Limits;
    use crate::poll::tracker::samples::at;

    const LIMITS: Limits = Limits { history_interval: Duration::from_secs(1800), max_pages: 3 };

    fn page(ids: std::ops::Range<u32>, total: u64) -> Page<DirectoryEntry> {
        let found = |id: u32| DirectoryEntry {
            resource: DiscoveredResource {
                id: format!("s{id}").into(),
                name: "".into(),
                region: None,
            },
            listing: None,
        };
        Page::new(ids.map(found).collect(), Some(total))
    }

    #[test]
    fn all_pages_are_read_once_in_the_history_interval() {
        let mut server_directory = ServerDirectory::default();
        assert!(server_directory.begin(&LIMITS, at(0)));
        assert!(server_directory.listed(page(0..100, 150), at(0)).is_none());
        assert_eq!(server_directory.ask(), Some(ListInstances { page: 2 }));
        assert!(!server_directory.lacks("s200"), "it has not been read whole yet");
        assert!(server_directory.listed(page(100..150, 150), at(0)).is_some());
        assert!(server_directory.lacks("s200") && !server_directory.lacks("s149"));
        assert_eq!(server_directory.pages(), 2);
        assert!(
            !server_directory.begin(&LIMITS, at(1799)) && server_directory.begin(&LIMITS, at(1800))
        );
    }

    #[test]
    fn a_list_with_gaps_says_of_no_server_that_it_is_gone_and_one_that_was_interrupted_is_read_on()
    {
        let mut gap = ServerDirectory::default();
        gap.begin(&LIMITS, at(0));
        assert!(
            gap.listed(page(0..9, 10), at(0)).is_none()
                && gap.listed(page(0..0, 10), at(0)).is_some()
                && !gap.lacks("s9")
        );
        let mut long = ServerDirectory::default();
        long.begin(&LIMITS, at(0));
        for number in 0..20 {
            assert!(long.listed(page(number * 100..number * 100 + 100, 2050), at(0)).is_none());
        }
        assert!(long.begin(&LIMITS, at(10)) && long.ask() == Some(ListInstances { page: 21 }));
        assert!(
            long.listed(page(2000..2050, 2050), at(0)).is_some()
                && long.lacks("s2050")
                && !long.begin(&LIMITS, at(20))
        );
        let mut repeating = ServerDirectory::default();
        repeating.begin(&LIMITS, at(0));
        assert!(
            repeating.listed(page(0..100, 200), at(0)).is_none()
                && repeating.listed(page(0..100, 200), at(0)).is_some()
        );
        assert!(!repeating.lacks("s150"));
    }

    #[test]
    fn a_failure_is_told_until_a_list_was_read_and_tried_again_if_it_may_pass() {
        let failure = |reason| Failure { reason, message: "m".into(), advice: "a".into() };
        let mut server_directory = ServerDirectory::default();
        server_directory.begin(&LIMITS, at(0));
        server_directory.failed(&failure(Reason::Permission), at(1));
        assert!(server_directory.failure().is_some() && !server_directory.lacks("s0"));
        assert!(
            !server_directory.begin(&LIMITS, at(1799)) && server_directory.begin(&LIMITS, at(1800))
        );
        server_directory.failed(&failure(Reason::Timeout), at(1801));
        assert!(
            !server_directory.begin(&LIMITS, at(1920)) && server_directory.begin(&LIMITS, at(1921))
        );
        server_directory.listed(page(0..1, 1), at(0));
        assert_eq!(server_directory.failure(), None);
        server_directory.begin(&LIMITS, at(4000));
        server_directory.failed(&failure(Reason::Permission), at(4001));
        assert!(
            server_directory.failure().is_none() && server_directory.lacks("s1"),
            "what was known still holds"
        );
    }
}
