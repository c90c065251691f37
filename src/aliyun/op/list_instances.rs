//! SWAS ListInstances: the servers of an account in a region. Source: "ListInstances" in
//! `docs/alibaba-cloud-api.md`.

use super::wire::{Entry, Oddities, found, page};
use super::{Decoded, Parameters, Undecoded};
use crate::aliyun::json::Object;
use crate::model::{
    BusinessStatus, DirectoryEntry, Page, ResourceListing, ServerListing, ServerStatus,
};

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

    pub(super) fn decode(&self, body: &[u8]) -> Result<Decoded<Page<DirectoryEntry>>, Undecoded> {
        page(body, ("Instances", "InstanceId"), &[], server)
    }
}

fn server(entry: &Object<'_>, oddities: &mut Oddities) -> Entry<DirectoryEntry> {
    let resource = found(entry, ["InstanceId", "InstanceName", "RegionId"])?;
    let status = entry.text("Status").map(|word| ServerStatus::parse(&word));
    let business = entry.text("BusinessStatus").map(|word| BusinessStatus::parse(&word));
    oddities.note("Status", status.as_ref().and_then(ServerStatus::unknown_word));
    oddities.note("BusinessStatus", business.as_ref().and_then(BusinessStatus::unknown_word));
    let expires = entry.time("ExpiredTime");
    let listing = ServerListing { status, business_status: business, expires };
    Ok(DirectoryEntry { resource, listing: Some(ResourceListing::Server(listing)) })
}

#[cfg(test)]
mod tests {
    use super::ListInstances;
    use crate::model::{
        BusinessStatus, DirectoryEntry, ResourceListing, ServerListing, ServerStatus,
    };

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
        let last = &decoded.value.items.last().unwrap().resource;
        assert_eq!(
            (&*last.id, &*last.name, last.region.as_deref()),
            ("ace0706b2ac4454d984295a942130010", "srv-10", Some("cn-hangzhou"))
        );
        let first = ServerListing {
            status: Some(ServerStatus::Running),
            business_status: Some(BusinessStatus::Normal),
            expires: Some("2025-03-01T16:00:00Z".parse().unwrap()),
        };
        assert_eq!(*listing(&decoded.value.items[0]), first);
    }

    fn listing(entry: &DirectoryEntry) -> &ServerListing {
        match &entry.listing {
            Some(ResourceListing::Server(server)) => server,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_missing_or_absurd_is_absent_and_an_unknown_word_is_kept() {
        let read = |fields: &str| {
            let body = format!(r#"{{"Instances": [{{"InstanceId": "s", {fields}}}]}}"#);
            let decoded = ListInstances { page: 1 }.decode(body.as_bytes()).unwrap();
            (listing(&decoded.value.items[0]).clone(), decoded.unknown)
        };
        for nothing in [
            r#""InstanceName": "n""#,
            r#""Status": null, "BusinessStatus": null, "ExpiredTime": null"#,
            r#""Status": "", "ExpiredTime": "1970-01-01T00:00:00Z""#,
            r#""ExpiredTime": "never""#,
            r#""ExpiredTime": "99999-12-31T16:00:00Z""#,
        ] {
            assert_eq!(read(nothing), (ServerListing::default(), Vec::new()), "{nothing}");
        }
        let (server, unknown) = read(r#""Status": "Migrating", "BusinessStatus": "Owed""#);
        let words = [("Status", "Migrating"), ("BusinessStatus", "Owed")];
        assert_eq!(unknown, words.map(|(field, word)| (field, word.to_owned())));
        assert_eq!(server.status.unwrap().label(), "unknown");
    }

    #[test]
    fn an_empty_list_is_empty_and_a_missing_one_an_error() {
        let body = include_bytes!("../../../tests/fixtures/api/swas_ListInstances.empty.json");
        assert_eq!(ListInstances { page: 1 }.decode(body).unwrap().value.items, []);
        assert!(ListInstances { page: 1 }.decode(b"{}").is_err());
    }
}
