//! SWAS ListInstances: the servers of an account in a region. Source: "ListInstances" in
//! `docs/alibaba-cloud-api.md`.

use super::wire::{found, page};
use super::{Decoded, Parameters, Undecoded};
use crate::model::{DiscoveredResource, Page};

/// Requests a page of a region's servers.
#[derive(Clone, Debug, PartialEq)]
pub struct ListInstances {
    /// PageNumber, from 1.
    pub page: u32,
}

impl ListInstances {
    /// Number of entries in a full page: the maximum PageSize (docs/alibaba-cloud-api.md,
    /// "Limits").
    pub const PAGE_SIZE: usize = 100;

    pub(super) fn parameters(&self) -> Parameters<'_> {
        vec![
            ("PageNumber", self.page.to_string().into()),
            ("PageSize", Self::PAGE_SIZE.to_string().into()),
        ]
    }

    pub(super) fn decode(
        &self,
        body: &[u8],
    ) -> Result<Decoded<Page<DiscoveredResource>>, Undecoded> {
        page(body, ("Instances", "InstanceId"), &[], |entry, _| {
            found(entry, ["InstanceId", "InstanceName", "RegionId"])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ListInstances;

    impl ListInstances {
        /// A sample, and the smallest body that answers it, without the outer braces.
        pub(in crate::aliyun::op) fn sample() -> (Self, &'static str) {
            (Self { page: 1 }, r#""Instances": [{"InstanceId": "s"}]"#)
        }
    }

    #[test]
    fn the_sample_decodes_to_what_it_says() {
        let body = include_bytes!("../../../tests/fixtures/api/swas_ListInstances.json");
        let decoded = ListInstances { page: 1 }.decode(body).unwrap();
        assert_eq!(decoded.unknown, []);
        assert_eq!((decoded.value.items.len(), decoded.value.total), (10, Some(10)));
        let last = decoded.value.items.last().unwrap();
        assert_eq!(
            (&*last.id, &*last.name, last.region.as_deref()),
            ("ace0706b2ac4454d984295a942130010", "srv-10", Some("cn-hangzhou"))
        );
    }

    #[test]
    fn an_empty_list_is_empty_and_a_missing_one_an_error() {
        let body = include_bytes!("../../../tests/fixtures/api/swas_ListInstances.empty.json");
        assert_eq!(ListInstances { page: 1 }.decode(body).unwrap().value.items, []);
        assert!(ListInstances { page: 1 }.decode(b"{}").is_err());
    }
}
