//! E-HPC ListClusters: the clusters of an account. Source: "ListClusters" in
//! `docs/alibaba-cloud-api.md`.

use super::wire::{found, page};
use super::{Decoded, PAGE_SIZE, Parameters, Undecoded};
use crate::model::{DiscoveredResource, Page};

/// Requests a page of the account's clusters. The documents do not say whether those are of one
/// region or of all.
#[derive(Clone, Debug, PartialEq)]
pub struct ListClusters {
    /// PageNumber, from 1.
    pub page: u32,
}

impl ListClusters {
    /// Number of entries in a full page.
    pub const PAGE_SIZE: usize = PAGE_SIZE as usize;

    pub(super) fn parameters(&self) -> Parameters<'_> {
        vec![
            ("PageNumber", self.page.to_string().into()),
            ("PageSize", PAGE_SIZE.to_string().into()),
        ]
    }

    pub(super) fn decode(
        &self,
        body: &[u8],
    ) -> Result<Decoded<Page<DiscoveredResource>>, Undecoded> {
        page(body, ("Clusters", "Id"), &[], |entry, _| found(entry, ["Id", "Name", "RegionId"]))
    }
}

#[cfg(test)]
mod tests {
    use super::ListClusters;

    impl ListClusters {
        /// A sample, and the smallest body that answers it, without the outer braces.
        pub(in crate::aliyun::op) fn sample() -> (Self, &'static str) {
            (Self { page: 1 }, r#""Clusters": {"ClusterInfoSimple": [{"Id": "c"}]}"#)
        }
    }

    #[test]
    fn the_sample_decodes_to_what_it_says() {
        let body = include_bytes!("../../../tests/fixtures/api/ehpc_ListClusters.json");
        let decoded = ListClusters { page: 1 }.decode(body).unwrap();
        assert_eq!(decoded.unknown, []);
        assert_eq!((decoded.value.items.len(), decoded.value.total), (6, Some(6)));
        let last = decoded.value.items.last().unwrap();
        assert_eq!(
            (&*last.id, &*last.name, last.region.as_deref()),
            ("ehpc-hz-FYUr320006", "cluster-6", Some("cn-hangzhou"))
        );
    }

    #[test]
    fn an_empty_list_is_empty_and_a_missing_one_an_error() {
        let body = include_bytes!("../../../tests/fixtures/api/ehpc_ListClusters.empty.json");
        assert_eq!(ListClusters { page: 1 }.decode(body).unwrap().value.items, []);
        assert!(ListClusters { page: 1 }.decode(b"{}").is_err());
    }
}
