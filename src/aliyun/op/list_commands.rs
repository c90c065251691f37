//! E-HPC ListCommands: the ids of a cluster's commands. Source: "ListCommands" in `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use serde::Deserialize;

use super::wire::{List, Scalar, UnknownWords};
use super::{Decoded, PAGE_SIZE, Parameters};
use crate::model::Page;

/// Asks for a page of a cluster's commands. Only their ids are read: the rest is the users' own scripts.
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

    pub(super) fn decode(&self, body: &[u8]) -> serde_json::Result<Decoded<Page<Arc<str>>>> {
        let wire: Body = serde_json::from_slice(body)?;
        let mut unknown = UnknownWords::default();
        let total = wire.total.count();
        let mut items = Vec::new();
        for command in &wire.commands.0 {
            match command.id.text() {
                Some(id) => items.push(id.into()),
                None => unknown.note("CommandId", Some("")),
            }
        }
        Ok(unknown.with(Page::new(items, total)))
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, rename = "Commands")]
    commands: List<Command<'a>>,
    #[serde(borrow, rename = "TotalCount", default)]
    total: Scalar<'a>,
}

#[derive(Deserialize)]
struct Command<'a> {
    #[serde(borrow, rename = "CommandId", default)]
    id: Scalar<'a>,
}

#[cfg(test)]
mod tests {
    use super::ListCommands;

    #[test]
    fn the_sample_decodes_to_what_it_says() {
        let body = include_bytes!("../../../tests/fixtures/api/ehpc_ListCommands.json");
        let decoded = ListCommands { cluster_id: "c".into(), page: 1 }.decode(body).unwrap();
        let ids: Vec<&str> = decoded.value.items.iter().map(|id| &**id).collect();
        assert_eq!(ids, ["c-hz01v8vudql0001", "c-hz01v8x80o30002"]);
        assert_eq!(decoded.value.total, Some(2));
    }
}
