//! What one pass of discovery has found, in words.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::config::Config;
use crate::poll::Survey;
use crate::target::{Kind, Scope, searches, targets};

/// What `check --estimate --live` says of discovery: what was found where, and what to do where that failed.
pub fn surveyed(survey: &Survey, config: &Config) -> String {
    let mut page = found(survey, config);
    for target in searches(config, &survey.findings) {
        let place = &target.id.id;
        if let Some(failure) = survey.failures.get(&target.id) {
            let _ = writeln!(page, "! {place} failed: {}\n    What to do: {}.", failure.message, failure.advice);
            continue;
        }
        let Scope::Discovery(search) = &target.scope else { continue };
        let found = survey.findings.get(&target.id).map(Vec::as_slice).unwrap_or_default();
        let taken = found.iter().filter(|thing| search.takes(thing)).count();
        let things = search.sought.things();
        let _ = writeln!(page, "  {place}: {things}: {} found, {taken} taken", found.len());
        if let Some(missing) = survey.missing.get(&target.id) {
            let _ =
                writeln!(page, "! {place}: the list counts {missing} more {things}, and none of its pages shows them");
        }
    }
    page.push('\n');
    page
}

fn found(survey: &Survey, config: &Config) -> String {
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    let all = targets(config, &survey.findings);
    all.iter().for_each(|target| *kinds.entry(target.id.kind).or_default() += 1);
    let count = |kind: Kind| kinds.get(&kind).copied().unwrap_or_default();
    let (clusters, servers) = (count(Kind::EhpcTasks), count(Kind::SwasInvocations));
    let (failed, places) = (survey.failures.len(), count(Kind::Discovery));
    let failed = if failed > 0 { format!(", but failed in {failed} of {places} places") } else { String::new() };
    format!(
        "Discovery has looked{failed}. With what is configured, that makes {clusters} clusters and {servers} servers:\n"
    )
}
