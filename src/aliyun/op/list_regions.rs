//! ListRegions of E-HPC and of SWAS: where the product is offered. Source: "ListRegions" in `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use serde::Deserialize;

use super::wire::{List, Scalar, UnknownWords};
use super::{Decoded, Parameters};
use crate::config::is_region;

/// Asks E-HPC for its regions.
#[derive(Clone, Debug, PartialEq)]
pub struct EhpcListRegions;

/// Asks SWAS for its regions.
#[derive(Clone, Debug, PartialEq)]
pub struct SwasListRegions;

impl EhpcListRegions {
    pub(super) fn parameters(&self) -> Parameters<'_> {
        Vec::new()
    }

    pub(super) fn decode(&self, body: &[u8]) -> serde_json::Result<Decoded<Vec<Arc<str>>>> {
        decode(body)
    }
}

impl SwasListRegions {
    pub(super) fn parameters(&self) -> Parameters<'_> {
        Vec::new()
    }

    pub(super) fn decode(&self, body: &[u8]) -> serde_json::Result<Decoded<Vec<Arc<str>>>> {
        decode(body)
    }
}

fn decode(body: &[u8]) -> serde_json::Result<Decoded<Vec<Arc<str>>>> {
    let wire: Body = serde_json::from_slice(body)?;
    let mut unknown = UnknownWords::default();
    let mut regions = Vec::new();
    for region in &wire.regions.0 {
        match region.id.text().unwrap_or_default() {
            id if is_region(id) => regions.push(id.into()),
            odd => unknown.note("RegionId", Some(odd)),
        }
    }
    Ok(unknown.with(regions))
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, rename = "Regions")]
    regions: List<Region<'a>>,
}

#[derive(Deserialize)]
struct Region<'a> {
    #[serde(borrow, rename = "RegionId", default)]
    id: Scalar<'a>,
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::decode;

    #[test]
    fn both_samples_decode_to_what_they_say() {
        let ehpc = include_str!("../../../tests/fixtures/api/ehpc_ListRegions.json");
        let swas = include_str!("../../../tests/fixtures/api/swas_ListRegions.json");
        for (body, list) in [(ehpc, "/Regions/RegionInfo"), (swas, "/Regions")] {
            let said: Value = serde_json::from_str(body).unwrap();
            let said = said.pointer(list).unwrap().as_array().unwrap();
            let said: Vec<&str> = said.iter().filter_map(|region| region["RegionId"].as_str()).collect();
            let decoded = decode(body.as_bytes()).unwrap();
            assert!(said.len() > 1);
            assert_eq!(decoded.value.iter().map(|id| &**id).collect::<Vec<_>>(), said);
            assert_eq!(decoded.unknown, []);
        }
    }
}
