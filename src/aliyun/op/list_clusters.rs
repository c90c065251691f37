//! E-HPC ListClusters: the clusters of an account. Source: "ListClusters" in
//! `docs/alibaba-cloud-api.md`.

use super::field::embedded;
use super::wire::{Entry, Oddities, found, page};
use super::{Decoded, PAGE_SIZE, Parameters, Undecoded};
use crate::aliyun::json::{Json, Object};
use crate::model::{
    ClusterListing, ClusterStatus, DirectoryEntry, NodeCounts, Page, ResourceListing,
};

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

    pub(super) fn decode(&self, body: &[u8]) -> Result<Decoded<Page<DirectoryEntry>>, Undecoded> {
        page(body, ("Clusters", "Id"), &[], cluster)
    }
}

fn cluster(entry: &Object<'_>, oddities: &mut Oddities) -> Entry<DirectoryEntry> {
    let resource = found(entry, ["Id", "Name", "RegionId"])?;
    let status = entry.text("Status").map(|word| ClusterStatus::parse(&word));
    oddities.note("Status", status.as_ref().and_then(ClusterStatus::unknown_word));
    let nodes = |field| entry.get(field).and_then(|value| embedded(value, &counts));
    let listing = ClusterListing {
        status,
        managers: nodes("Managers").unwrap_or_default(),
        computes: nodes("Computes").unwrap_or_default(),
    };
    Ok(DirectoryEntry { resource, listing: Some(ResourceListing::Cluster(listing)) })
}

fn counts(nodes: Json<'_>) -> Option<NodeCounts> {
    let nodes = nodes.object()?;
    Some(NodeCounts {
        total: nodes.count("Total"),
        normal: nodes.count("NormalCount"),
        operating: nodes.count("OperatingCount"),
        stopped: nodes.count("StoppedCount"),
        exception: nodes.count("ExceptionCount"),
    })
}

#[cfg(test)]
mod tests {
    use super::ListClusters;
    use crate::model::{
        ClusterListing, ClusterStatus, DirectoryEntry, NodeCounts, ResourceListing,
    };

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
        let last = &decoded.value.items.last().unwrap().resource;
        assert_eq!(
            (&*last.id, &*last.name, last.region.as_deref()),
            ("ehpc-hz-FYUr320006", "cluster-6", Some("cn-hangzhou"))
        );
        let first = listing(&decoded.value.items[0]);
        let counts = |total, normal, exception| NodeCounts {
            total: Some(total),
            normal: Some(normal),
            operating: Some(0),
            stopped: Some(0),
            exception: Some(exception),
        };
        assert_eq!(first.status, Some(ClusterStatus::Running));
        assert_eq!((first.managers, first.computes), (counts(2, 2, 0), counts(3, 2, 1)));
        let statuses =
            decoded.value.items.iter().filter_map(|entry| listing(entry).status.as_ref());
        assert_eq!(statuses.filter(|status| status.unknown_word().is_none()).count(), 6);
    }

    fn listing(entry: &DirectoryEntry) -> &ClusterListing {
        match &entry.listing {
            Some(ResourceListing::Cluster(cluster)) => cluster,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_missing_or_odd_is_absent_and_an_unknown_word_is_kept() {
        let read = |fields: &str| {
            let body = format!(r#"{{"Clusters": [{{"Id": "c", {fields}}}]}}"#);
            let decoded = ListClusters { page: 1 }.decode(body.as_bytes()).unwrap();
            (listing(&decoded.value.items[0]).clone(), decoded.unknown)
        };
        for nothing in [
            r#""Name": "n""#,
            r#""Status": null, "Managers": null, "Computes": 7"#,
            r#""Status": "", "Managers": [], "Computes": {"Total": -1, "NormalCount": "many"}"#,
        ] {
            assert_eq!(read(nothing), (ClusterListing::default(), Vec::new()), "{nothing}");
        }
        let (cluster, unknown) = read(r#""Status": "Scaling", "Computes": "{\"Total\": \"3\"}""#);
        assert_eq!(unknown, [("Status", "Scaling".to_owned())]);
        assert_eq!(cluster.status.unwrap().label(), "unknown");
        assert_eq!(cluster.computes, NodeCounts { total: Some(3), ..NodeCounts::default() });
    }

    #[test]
    fn an_empty_list_is_empty_and_a_missing_one_an_error() {
        let body = include_bytes!("../../../tests/fixtures/api/ehpc_ListClusters.empty.json");
        assert_eq!(ListClusters { page: 1 }.decode(body).unwrap().value.items, []);
        assert!(ListClusters { page: 1 }.decode(b"{}").is_err());
    }
}
