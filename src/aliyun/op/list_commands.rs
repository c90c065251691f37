//! E-HPC ListCommands: the ids of a cluster's commands. Source: "ListCommands" in
//! `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use super::wire::page;
use super::{Decoded, PAGE_SIZE, Parameters, Undecoded};
use crate::model::Page;

/// Requests a page of a cluster's commands. Only their ids are read; the rest is the users' own
/// scripts.
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

    pub(super) fn decode(&self, body: &[u8]) -> Result<Decoded<Page<Arc<str>>>, Undecoded> {
        page(body, ("Commands", "CommandId"), &[("ClusterId", &self.cluster_id)], |entry, _| {
            entry.id("CommandId").map(|id| (*id).into())
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
        let ids: Vec<&str> = decoded.value.items.iter().map(|id| &**id).collect();
        assert_eq!(ids, ["c-hz01v8vudql0001", "c-hz01v8x80o30002"]);
        assert_eq!(decoded.value.total, Some(2));
    }
}
