//! How much an answer holds, whichever operation it is of.

use super::Answer;

impl Answer {
    /// Whether the operation's own list or object is there and not empty.
    pub(in crate::aliyun) fn holds_something(&self) -> bool {
        match self {
            Self::ListTasks(page) => page.entries > 0,
            Self::ListCommands(page) | Self::EhpcListRegions(page) | Self::SwasListRegions(page) => page.entries > 0,
            Self::ListInvocationResults(page) => page.entries > 0,
            Self::ListClusters(page) | Self::ListInstances(page) => page.entries > 0,
            Self::DescribeInvocations(page) => page.entries > 0,
            Self::DescribeCommandInvocations(page) => page.entries > 0,
            Self::ListInvocationStatus(invocation) => !invocation.nodes.is_empty(),
            Self::DescribeInvocationResult(result) => !result.status.word().is_empty() || result.record.is_some(),
        }
    }

    /// Notes that what the answer does not show may be there all the same.
    pub(in crate::aliyun) fn set_partial(&mut self) {
        let is_partial = match self {
            Self::ListTasks(page) => &mut page.is_partial,
            Self::ListCommands(page) | Self::EhpcListRegions(page) | Self::SwasListRegions(page) => {
                &mut page.is_partial
            }
            Self::ListInvocationResults(page) => &mut page.is_partial,
            Self::ListClusters(page) | Self::ListInstances(page) => &mut page.is_partial,
            Self::DescribeInvocations(page) => &mut page.is_partial,
            Self::DescribeCommandInvocations(page) => &mut page.is_partial,
            // They speak of one thing, which is there.
            Self::ListInvocationStatus(_) | Self::DescribeInvocationResult(_) => return,
        };
        *is_partial = true;
    }
}
