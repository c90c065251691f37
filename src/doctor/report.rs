//! Findings -> what is printed.

use std::fmt::Write;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Finding, Policy, State};
use crate::model::NOTABLE_SKEW;

/// All that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// In the order of accounts and regions.
    pub findings: Vec<Finding>,
    /// The least permissions needed.
    pub policies: Vec<Policy>,
}

impl Report {
    /// Whether every operation works.
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.state == State::Works)
    }

    /// The largest distance between the cloud's clock and this machine's.
    fn skew(&self) -> Option<SignedDuration> {
        self.findings.iter().filter_map(|finding| finding.clock_skew).max_by_key(|skew| skew.abs())
    }
}

/// The report as a person reads it.
pub fn text(report: &Report) -> String {
    let rows = report.findings.iter().map(row).collect::<Vec<_>>();
    let header = ["ACCOUNT", "REGION", "OPERATION", "TRIED ON", "RESULT"].map(str::to_owned);
    let width = |column: usize| {
        rows.iter().chain([&header]).map(|row| row[column].chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut out = String::new();
    line(&header, &widths, &mut out);
    for row in &rows {
        line(row, &widths, &mut out);
    }
    problems(&report.findings, &mut out);
    if let Some(skew) = report.skew().filter(|skew| skew.abs() > NOTABLE_SKEW) {
        let side = if skew.is_positive() { "behind" } else { "ahead of" };
        let seconds = skew.abs().as_secs();
        let _ = writeln!(
            out,
            "\nThe clock of this machine is {seconds} s {side} the cloud's; at 900 s requests are refused."
        );
    }
    for policy in &report.policies {
        let document = serde_json::to_string_pretty(&policy.policy).unwrap_or_default();
        let _ = writeln!(
            out,
            "\nThe least that RAM must allow {} ({}):\n\n{document}",
            policy.grantee,
            policy.accounts.join(", ")
        );
    }
    out
}

/// What does not work and what to do about it; operations with the same cause are reported
/// together.
fn problems(findings: &[Finding], out: &mut String) {
    let cause = |finding: &Finding| {
        (finding.account.clone(), finding.region.clone(), finding.result(), finding.advice.clone())
    };
    let mut causes: Vec<(_, Vec<&Finding>)> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.state != State::Works) {
        match causes.iter_mut().find(|(known, _)| *known == cause(finding)) {
            Some((_, alike)) => alike.push(finding),
            None => causes.push((cause(finding), vec![finding])),
        }
    }
    for ((account, region, result, advice), alike) in causes {
        let operations: Vec<String> =
            alike.iter().map(|finding| finding.action.to_string()).collect();
        let _ = writeln!(out, "\n{account}, {region}: {result}: {}", operations.join(", "));
        let _ = writeln!(out, "  {}\n  What to do: {advice}.", alike[0].message);
    }
}

fn row(finding: &Finding) -> [String; 5] {
    let result = format!("{} ({} ms)", finding.result(), finding.took.as_millis());
    [
        finding.account.clone(),
        finding.region.clone(),
        finding.action.to_string(),
        finding.target.clone(),
        result,
    ]
}

fn line(cells: &[String], widths: &[usize], out: &mut String) {
    let padded: Vec<String> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    out.push_str(padded.join("  ").trim_end());
    out.push('\n');
}

/// The report as a program reads it.
pub fn json(report: &Report) -> String {
    let findings: Vec<Value> = report.findings.iter().map(finding).collect();
    let skew = report.skew().map(|skew| skew.as_secs_f64());
    let report = json!({
        "ok": report.is_well(), "clock_skew_seconds": skew, "operations": findings, "policies": report.policies,
    });
    format!("{report:#}\n")
}

fn finding(finding: &Finding) -> Value {
    json!({
        "account": finding.account,
        "region_id": finding.region,
        "product": finding.action.product().label(),
        "operation": finding.action.name(),
        "target": finding.target,
        "result": finding.state.label(),
        "message": finding.message,
        "advice": finding.advice,
        "clock_skew_seconds": finding.clock_skew.map(|skew| skew.as_secs_f64()),
        "seconds": finding.took.as_secs_f64(),
    })
}
