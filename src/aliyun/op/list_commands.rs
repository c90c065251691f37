//! E-HPC ListCommands: the ids and timeouts of a cluster's commands. Source: "ListCommands" in
//! `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use super::wire::page;
use super::{Decoded, PAGE_SIZE, Parameters, Undecoded};
use crate::model::{Command, Page};

/// Requests a page of a cluster's commands. Only their ids and timeouts are read; the rest is the
/// users' own scripts.
#[derive(Clone, Debug, PartialEq)]
pub struct ListCommands {
    /// ClusterId.
    pub cluster_id: Arc<str>,
    /// PageNumber, from 1.
    pub page: u32,
}

impl ListCommands {
    pub(super) fn parameters(&self) -> Parameters<'_> {
        vec![
            ("ClusterId", (&*self.cluster_id).into()),
            ("PageNumber", self.page.to_string().into()),
            ("PageSize", PAGE_SIZE.to_string().into()),
        ]
    }

    pub(super) fn decode(&self, body: &[u8]) -> Result<Decoded<Page<Command>>, Undecoded> {
        page(body, ("Commands", "CommandId"), &[("ClusterId", &self.cluster_id)], |entry, _| {
            let id = (*entry.id("CommandId")?).into();
            Ok(Command { id, timeout: entry.count("Timeout") })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ListCommands;
    use crate::aliyun::op::samples::CLUSTER;

    impl ListCommands {
        /// A sample, and the smallest body that answers it, without the outer braces.
        pub(in crate::aliyun::op) fn sample() -> (Self, &'static str) {
            (
                Self { cluster_id: CLUSTER.into(), page: 1 },
                r#""Commands": {"Command": [{"CommandId": "k"}]}"#,
            )
        }
    }

    #[test]
    fn the_sample_decodes_to_what_it_says() {
        let body = include_bytes!("../../../tests/fixtures/api/ehpc_ListCommands.json");
        let decoded = ListCommands { cluster_id: "c".into(), page: 1 }.decode(body).unwrap();
        let commands: Vec<(&str, Option<u64>)> =
            decoded.value.items.iter().map(|command| (&*command.id, command.timeout)).collect();
        assert_eq!(commands, [("c-hz01v8vudql0001", Some(60)), ("c-hz01v8x80o30002", Some(3600))]);
        assert_eq!(decoded.value.total, Some(2));
    }
}
