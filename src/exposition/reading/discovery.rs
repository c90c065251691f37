//! What discovery has found -> sample lines.

use crate::catalog::DISCOVERED;
use crate::exposition::lines::Lines;
use crate::model::DiscoveryReading;
use crate::target::{Scope, Target};

/// Number of found resources that are taken. The resources themselves are targets.
pub(super) fn found(target: &Target, reading: &DiscoveryReading, lines: &mut Lines) {
    let Scope::Discovery(search) = &target.scope else { return };
    let taken = reading.found.iter().filter(|found| search.takes(found)).count();
    let labels = [
        ("account", &*target.account),
        ("kind", target.id.kind.label()),
        ("target", &*target.id.id),
    ];
    lines.of(&labels).sample(&DISCOVERED, &[], taken as u64);
}
