//! The findings of one pass of discovery, as text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::Config;
use crate::model::Failure;
use crate::poll::DiscoveryPass;
use crate::target::{Kind, Scope, Target, searches, targets};

/// Maximum number of places that are listed one by one if nothing is wrong.
const MAX_NAMED: usize = 10;

/// A place where discovery has looked.
struct Place<'a> {
    id: &'a str,
    things: &'static str,
    found: usize,
    taken: usize,
    missing: Option<u64>,
    failure: Option<&'a Failure>,
}

/// The discovery part of `check --estimate --live`: what was found where, and what to do about
/// failures.
pub fn discovered(discovery_pass: &DiscoveryPass, config: &Config) -> String {
    let mut page = found(discovery_pass, config);
    let searches = searches(config, &discovery_pass.findings);
    let (odd, well): (Vec<Place>, Vec<Place>) = places(discovery_pass, &searches)
        .partition(|place| place.failure.is_some() || place.missing.is_some());
    for Place { id, things, found, taken, missing, failure } in odd {
        if let Some(failure) = failure {
            let _ = writeln!(
                page,
                "! {id} failed: {}\n    What to do: {}.",
                failure.message, failure.advice
            );
            continue;
        }
        let missing = missing.unwrap_or_default();
        let _ = writeln!(page, "  {id}: {things}: {found} found, {taken} taken");
        let _ = writeln!(
            page,
            "! {id}: the list counts {missing} more {things}, and none of its pages shows them"
        );
    }
    for Place { id, things, found, taken, .. } in well.iter().take(MAX_NAMED) {
        let _ = writeln!(page, "  {id}: {things}: {found} found, {taken} taken");
    }
    if let Some(more) = well.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
        let rest = &well[MAX_NAMED..];
        let sum = |count: fn(&Place) -> usize| rest.iter().map(count).sum::<usize>();
        let found = sum(|place| place.found);
        let taken = sum(|place| place.taken);
        let _ = writeln!(page, "  {more} more places: {found} found, {taken} taken");
    }
    page.push('\n');
    page
}

/// Like [`discovered`], as JSON, with an entry for each place.
pub fn discovered_json(discovery_pass: &DiscoveryPass, config: &Config) -> Value {
    let searches = searches(config, &discovery_pass.findings);
    let place = |place: Place| {
        json!({
            "place": place.id,
            "things": place.things,
            "found": place.found,
            "taken": place.taken,
            "missing": place.missing.unwrap_or_default(),
            "error": place.failure.map(|failure| &failure.message),
            "advice": place.failure.map(|failure| &failure.advice),
        })
    };
    places(discovery_pass, &searches).map(place).collect()
}

fn places<'a>(
    discovery_pass: &'a DiscoveryPass,
    searches: &'a [Arc<Target>],
) -> impl Iterator<Item = Place<'a>> {
    searches.iter().filter_map(|target| {
        let Scope::Discovery(search) = &target.scope else { return None };
        let found = discovery_pass.findings.get(&target.id).map(Vec::as_slice).unwrap_or_default();
        Some(Place {
            id: &target.id.id,
            things: search.kind.things(),
            found: found.len(),
            taken: found.iter().filter(|thing| search.takes(thing)).count(),
            missing: discovery_pass.missing.get(&target.id).copied(),
            failure: discovery_pass.failures.get(&target.id),
        })
    })
}

fn found(discovery_pass: &DiscoveryPass, config: &Config) -> String {
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    let all = targets(config, &discovery_pass.findings);
    for target in &all {
        *kinds.entry(target.id.kind).or_default() += 1;
    }
    let count = |kind: Kind| kinds.get(&kind).copied().unwrap_or_default();
    let clusters = count(Kind::EhpcTasks);
    let servers = count(Kind::SwasInvocations);
    let failed = discovery_pass.failures.len();
    let places = count(Kind::Discovery);
    let failed = if failed > 0 {
        format!(", but failed in {failed} of {places} places")
    } else {
        String::new()
    };
    format!(
        "Discovery has looked{failed}. With what is configured, that makes {clusters} clusters and {servers} servers:\n"
    )
}
