//! ListRegions of E-HPC and of SWAS: the regions where the product is offered. Source:
//! "ListRegions" in `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use super::wire::{Unreadable, page};
use super::{Decoded, Parameters, Undecoded};
use crate::config::is_region;
use crate::model::Page;

/// Requests the regions of E-HPC.
#[derive(Clone, Debug, PartialEq)]
pub struct EhpcListRegions;

/// Requests the regions of SWAS.
#[derive(Clone, Debug, PartialEq)]
pub struct SwasListRegions;

impl EhpcListRegions {
    pub(super) fn parameters(&self) -> Parameters<'_> {
        Vec::new()
    }

    pub(super) fn decode(&self, body: &[u8]) -> Result<Decoded<Page<Arc<str>>>, Undecoded> {
        decode(body)
    }
}

impl SwasListRegions {
    pub(super) fn parameters(&self) -> Parameters<'_> {
        Vec::new()
    }

    pub(super) fn decode(&self, body: &[u8]) -> Result<Decoded<Page<Arc<str>>>, Undecoded> {
        decode(body)
    }
}

fn decode(body: &[u8]) -> Result<Decoded<Page<Arc<str>>>, Undecoded> {
    let decoded = page(body, ("Regions", "RegionId"), &[], |region, _| {
        let id = region.id("RegionId")?;
        is_region(&id).then(|| (*id).into()).ok_or(Unreadable)
    })?;
    if decoded.value.is_partial {
        return Err(Undecoded::Missing("Regions"));
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{EhpcListRegions, SwasListRegions, decode};

    impl SwasListRegions {
        /// A sample, and the smallest body that answers it, without the outer braces.
        pub(in crate::aliyun::op) fn sample() -> (Self, &'static str) {
            (Self, r#""Regions": [{"RegionId": "cn-hangzhou"}]"#)
        }
    }

    impl EhpcListRegions {
        /// A sample, and the smallest body that answers it, without the outer braces.
        pub(in crate::aliyun::op) fn sample() -> (Self, &'static str) {
            (Self, r#""Regions": {"RegionInfo": [{"RegionId": "cn-hangzhou"}]}"#)
        }
    }

    #[test]
    fn both_samples_decode_to_what_they_say() {
        let ehpc = include_str!("../../../tests/fixtures/api/ehpc_ListRegions.json");
        let swas = include_str!("../../../tests/fixtures/api/swas_ListRegions.json");
        for (body, list) in [(ehpc, "/Regions/RegionInfo"), (swas, "/Regions")] {
            let said: Value = serde_json::from_str(body).unwrap();
            let said = said.pointer(list).unwrap().as_array().unwrap();
            let said: Vec<&str> =
                said.iter().filter_map(|region| region["RegionId"].as_str()).collect();
            let decoded = decode(body.as_bytes()).unwrap();
            assert!(said.len() > 1);
            assert_eq!(decoded.value.items.iter().map(|id| &**id).collect::<Vec<_>>(), said);
            assert_eq!(decoded.unknown, []);
        }
    }
}
