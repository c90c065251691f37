//! What `check` reports about a configuration: what a start would refuse or warn about, notes, and
//! on request what polling will cost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Value, json};

use crate::config::{Config, Problem, Shard};
use crate::estimate::{self, Estimate};
use crate::poll::{Clients, DiscoveryPass, route_notes, route_warnings};
use crate::shard::Units;
use crate::state::Remark;
use crate::target::{Findings, Target, polled, targets};

/// Remarks about a usable configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remarks {
    /// What a start would warn about.
    pub warnings: Vec<String>,
    /// Worth knowing, but not a fault.
    pub notes: Vec<String>,
}

impl Remarks {
    /// Adds the remark about the state file, if there is one.
    pub fn and(mut self, state: Option<Remark>) -> Self {
        match state {
            Some(Remark::Warning(warning)) => self.warnings.push(warning),
            Some(Remark::Note(note)) => self.notes.push(note),
            None => {}
        }
        self
    }
}

/// Checks a configuration whose `clients` could be created. Warnings about its series are left to
/// the estimate, if there is one.
pub fn remarks(config: &Config, clients: &Clients, is_estimated: bool) -> Remarks {
    let asked = polled(targets(config, &Findings::new()));
    let mut warnings: Vec<String> = route_warnings(config, clients, &asked).into_iter().collect();
    if !is_estimated {
        warnings.extend(estimate::warnings(config));
    }
    Remarks { warnings, notes: route_notes(clients, &asked).into_iter().collect() }
}

/// What is printed for a usable configuration without an estimate.
pub fn text(config: &Config, remarks: &Remarks) -> String {
    let list = targets(config, &Findings::new());
    let things = if list.len() == 1 { "target" } else { "targets" };
    let mut page = format!("The configuration is valid. It polls {} {things}:\n\n", list.len());
    let _ =
        writeln!(page, "{:<17} {:<15} {:<36} {:<12} NAME", "KIND", "REGION", "TARGET", "ACCOUNT");
    for target in list {
        let kind = target.id.kind.label();
        let name = &target.name;
        let _ = writeln!(
            page,
            "{kind:<17} {:<15} {:<36} {:<12} {name}",
            target.region, target.id.id, target.account
        );
    }
    if config.discovers() {
        page.push_str(
            "\nand what discovery finds; check --estimate --live asks the cloud what that is.\n",
        );
    }
    page + &remarked(remarks)
}

/// A quota group in a region, the shard that polls it, and the number of its targets that are known
/// without discovery, discovery targets included.
struct Share<'a> {
    shard: u32,
    quota_group: &'a str,
    region: &'a str,
    targets: usize,
}

/// Who polls what when `count` processes share the targets of `config`: sorted by shard.
fn shares<'a>(config: &Config, units: &'a Units, count: u32) -> Vec<Share<'a>> {
    let mut targets_of: BTreeMap<(String, String), usize> = BTreeMap::new();
    for target in targets(config, &Findings::new()) {
        let unit = (target.quota_group.to_string(), target.region.to_string());
        *targets_of.entry(unit).or_default() += 1;
    }
    let share = |shard, (quota_group, region): (&'a str, &'a str)| {
        let unit = (quota_group.to_owned(), region.to_owned());
        let targets = targets_of.get(&unit).copied().unwrap_or_default();
        Share { shard, quota_group, region, targets }
    };
    (0..count)
        .flat_map(|shard| units.of_shard(shard).map(move |unit| (shard, unit)))
        .map(|(shard, unit)| share(shard, unit))
        .collect()
}

fn units(config: &Config, count: u32) -> Units {
    Units::of(&Config { shard: Shard { index: 0, count }, ..config.clone() })
}

/// The remarks, and how many shards have no unit, if any.
fn with_idle(remarks: &Remarks, shares: &[Share], count: u32) -> Remarks {
    let busy: BTreeSet<u32> = shares.iter().map(|share| share.shard).collect();
    let idle = count as usize - busy.len();
    let units = shares.len();
    let mut remarks = remarks.clone();
    if idle > 0 {
        remarks.warnings.push(format!(
            "{idle} of {count} shards have nothing to poll: there are only {units} units"
        ));
    }
    remarks
}

/// Which of `count` processes would poll what.
pub fn shards_text(config: &Config, count: u32, remarks: &Remarks) -> String {
    let units = units(config, count);
    let shares = shares(config, &units, count);
    let mut page = format!(
        "The configuration is valid. {count} processes share its targets by quota group and region:\n\n"
    );
    let _ = writeln!(page, "SHARD  {:<24} {:<20} TARGETS", "QUOTA GROUP", "REGION");
    for Share { shard, quota_group, region, targets } in &shares {
        let _ = writeln!(page, "{shard:<6} {quota_group:<24} {region:<20} {targets}");
    }
    if config.discovers() {
        page.push_str(
            "\nTargets are those known without discovery. Each process requests the list of regions for itself; a region that \
             this version does not know goes to one of them.\n",
        );
    }
    page + &remarked(&with_idle(remarks, &shares, count))
}

/// Like [`shards_text`], as JSON.
pub fn shards_json(config: &Config, count: u32, remarks: &Remarks) -> String {
    let units = units(config, count);
    let shares = shares(config, &units, count);
    let Remarks { warnings, notes } = with_idle(remarks, &shares, count);
    let shards: Vec<Value> = shares
        .iter()
        .map(|Share { shard, quota_group, region, targets }| {
            json!({"shard": shard, "quota_group": quota_group, "region_id": region, "targets": targets})
        })
        .collect();
    printed(&json!({
        "ok": true, "problems": [], "warnings": warnings, "notes": notes, "shards": shards,
    }))
}

/// Notes and warnings, each on its own line.
pub fn remarked(remarks: &Remarks) -> String {
    let notes = remarks.notes.iter().map(|note| format!("\nnote: {note}\n"));
    let warnings = remarks.warnings.iter().map(|warning| format!("\nwarning: {warning}\n"));
    notes.chain(warnings).collect()
}

/// An estimate, and what it is based on.
#[derive(Clone, Copy, Debug)]
pub struct Costs<'a> {
    /// The estimate.
    pub estimate: &'a Estimate,
    /// What discovery found, if the cloud was called.
    pub discovery_pass: Option<&'a DiscoveryPass>,
}

/// A checked configuration with its remarks and costs, as JSON. The fields are described under
/// "What it will cost" in `docs/configuration.md`.
pub fn json(config: &Config, remarks: &Remarks, costs: Option<Costs>, is_ok: bool) -> String {
    let estimate = costs.map(|costs| {
        let mut value = estimate::json(costs.estimate);
        value["discovery"] = costs.discovery_pass.map_or(Value::Null, |discovery_pass| {
            estimate::discovered_json(discovery_pass, config)
        });
        value
    });
    let targets = targets(config, &Findings::new());
    let targets: Vec<Value> = targets.iter().map(|each| target(each)).collect();
    printed(&json!({
        "ok": is_ok,
        "problems": [],
        "warnings": remarks.warnings,
        "notes": remarks.notes,
        "targets": targets,
        "estimate": estimate,
    }))
}

/// The JSON for a configuration that a start would refuse.
pub fn refused_json(problems: &[Problem]) -> String {
    let problem = |problem: &Problem| {
        let Problem { file, line, path, message } = problem;
        json!({"file": file, "line": line, "path": path, "message": message})
    };
    let problems: Vec<Value> = problems.iter().map(problem).collect();
    printed(&json!({
        "ok": false, "problems": problems, "warnings": [], "notes": [], "targets": [], "estimate": null,
    }))
}

fn target(target: &Target) -> Value {
    let Target { id, region, account, name, .. } = target;
    json!({"kind": id.kind.label(), "region_id": region, "target": id.id, "account": account, "name": name})
}

fn printed(value: &Value) -> String {
    format!("{value:#}\n")
}
