//! What a directory says about a cluster or a server -> sample lines.

use super::limits::Limits;
use super::lines::{Lines, SampleLines, words};
use crate::catalog::*;
use crate::config::StatusStyle;
use crate::model::{
    BusinessStatus, ClusterListing, ClusterStatus, ResourceListing, ServerListing, ServerStatus,
};
use crate::target::Target;

/// Renders all that a listing says; nothing of it is left out.
pub fn listing_lines(
    target: &Target,
    listing: &ResourceListing,
    style: StatusStyle,
) -> SampleLines {
    let mut lines = Lines::new(Limits::NONE, style);
    match listing {
        ResourceListing::Cluster(listing) => cluster(&target.id.id, listing, &mut lines),
        ResourceListing::Server(listing) => server(&target.id.id, listing, &mut lines),
    }
    lines.finish()
}

fn cluster(id: &str, listing: &ClusterListing, lines: &mut Lines) {
    let labels = [("cluster_id", id)];
    let mut lines = lines.of(&labels);
    if let Some(status) = &listing.status {
        for (word, value) in words(lines.style(), ClusterStatus::LABELS, status.label()) {
            lines.sample(&EHPC_CLUSTER_STATUS, &[("status", word)], value);
        }
    }
    for (role, nodes) in [("manager", &listing.managers), ("compute", &listing.computes)] {
        let role = ("role", role);
        for (state, count) in nodes.by_state() {
            lines.optional(&EHPC_CLUSTER_NODES, &[role, ("state", state)], count);
        }
        lines.optional(&EHPC_CLUSTER_TOTAL_NODES, &[role], nodes.total);
    }
}

fn server(id: &str, listing: &ServerListing, lines: &mut Lines) {
    let labels = [("instance_id", id)];
    let mut lines = lines.of(&labels);
    if let Some(status) = &listing.status {
        for (word, value) in words(lines.style(), ServerStatus::LABELS, status.label()) {
            lines.sample(&SWAS_SERVER_STATUS, &[("status", word)], value);
        }
    }
    if let Some(status) = &listing.business_status {
        for (word, value) in words(lines.style(), BusinessStatus::LABELS, status.label()) {
            lines.sample(&SWAS_SERVER_BUSINESS_STATUS, &[("status", word)], value);
        }
    }
    lines.optional(&SWAS_SERVER_EXPIRY, &[], listing.expires);
}
