//! What `check` reports about a configuration: what a start would refuse or warn about, notes, and
//! on request what polling will cost.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::config::{Config, Problem};
use crate::estimate::{self, Estimate};
use crate::poll::{Clients, DiscoveryPass, route_notes, route_warnings};
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

/// All of that as JSON. The fields are described under "What it will cost" in
/// `docs/configuration.md`.
pub fn json(config: &Config, remarks: &Remarks, costs: Option<Costs>, is_ok: bool) -> String {
    let estimate = costs.map(|costs| {
        let mut value = estimate::json(costs.estimate);
        value["discovery"] = costs.discovery_pass.map_or(Value::Null, |discovery_pass| {
            estimate::discovered_json(discovery_pass, config)
        });
        value
    });
    let targets: Vec<Value> = targets(config, &Findings::new()).iter().map(target).collect();
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
