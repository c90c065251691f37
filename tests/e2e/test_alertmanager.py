"""The example for Alertmanager: what it silences, what it lets through, and who is told."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from alertmanager import CONFIG, Alertmanager, Labels, label
from program import ROOT
from waiting import wait_for

ALERTS = (ROOT / "deploy/alerts.yaml").read_text()
TESTS = "".join(path.read_text() for path in (ROOT / "deploy").glob("alerts*_test.yaml"))


def amtool(*arguments: str) -> str:
    program = shutil.which("amtool")
    assert program, "there is no amtool: make deps"
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_amtool_accepts_the_example() -> None:
    assert "10 inhibit rules" in amtool("check-config", str(CONFIG))


def test_every_alert_of_the_example_is_one_of_ours() -> None:
    names = set(re.findall(r"AliyunTask\w+", CONFIG.read_text()))
    assert names
    assert names <= set(re.findall(r"- alert: (\w+)", ALERTS))


@pytest.mark.parametrize(("severity", "receiver"), [("critical", "page"), ("warning", "day"), ("info", "morning")])
def test_each_severity_has_its_receiver(severity: str, receiver: str) -> None:
    assert amtool("config", "routes", "test", f"--config.file={CONFIG}", f"severity={severity}").strip() == receiver


def alert(name: str, **labels: str) -> Labels:
    """Labels as the rule gives them: its test has seen an alert with exactly these names."""
    severity = re.search(rf"- alert: {name}\n(?:.*\n)*?          severity: (\w+)", ALERTS)
    assert severity, name
    shapes = {
        frozenset(re.findall(r"(\w+): ", shape))
        for block in re.split(r"\n      - (?=\{?alertname)", TESTS)
        if re.match(rf"alertname: {name}\n", block)
        for shape in re.findall(r"exp_labels: \{(.*)\}", block)
    }
    assert frozenset(labels) | {"severity"} in shapes, (name, labels, shapes)
    return {"alertname": name, "severity": severity[1], **labels}


def of(account: str) -> dict[str, Labels]:
    """One of each kind, in this account."""
    target = {"account": account, "kind": "swas_invocations"}
    server = {"account": account, "region_id": "cn-hangzhou", "instance_id": f"ace-{account}"}
    operation = {"region_id": "cn-hangzhou", "product": "SWAS", "operation": "DescribeInvocations"}
    return {
        "refused": alert("AliyunTaskPermissionRefused", account=account),
        "blind": alert("AliyunTaskAccountBlind", account=account),
        "stale": alert("AliyunTaskDataStale", **target),
        "many": alert("AliyunTaskTargetFailing", account=account, reason="credentials"),
        "one": alert("AliyunTaskTargetFailing", **target, target="ace1"),
        "expiring": alert("AliyunTaskCredentialsExpiring", account=account, job="exporter", instance="a"),
        "throttled": alert("AliyunTaskOperationThrottled", account=account, **operation),
        "quota": alert("AliyunTaskQuotaExceeded", account=account, **operation),
        "event": alert("AliyunTaskSwasInvocationFailed", **server, status="Failed"),
        "state": alert("AliyunTaskSwasCommandFailing", **server, command_name="backup"),
        "open": alert("AliyunTaskOpenSeriesDropped", **target),
        "ended": alert("AliyunTaskSeriesLimit", **target),
        "shard": alert("AliyunTaskShardMissing", job=f"job-{account}"),
        "down": alert("AliyunTaskInstanceDown", job=f"job-{account}", instance="a"),
        "missing": alert("AliyunTaskSwasCommandMissing", **server, command_name="backup"),
    }


# Each cause with what it silences.
EFFECTS = {
    "refused": {"blind", "stale"},
    "blind": {"stale", "one"},
    "many": {"stale"},
    "throttled": {"stale", "quota"},
    "expiring": {"many"},
    "event": {"state"},
    "open": {"ended"},
    "shard": {"down"},
}


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    with Alertmanager(tmp_path) as server:
        yield server


def test_a_cause_silences_its_effects_and_nothing_else(alertmanager: Alertmanager) -> None:
    """Each cause in an account of its own, with one of everything that is no cause."""
    causes = EFFECTS.keys()
    sent, silenced = [], set()
    for cause, effects in EFFECTS.items():
        alerts = of(cause)
        shown = {name for name in alerts if name == cause or name not in causes or name in effects}
        sent += [alerts[name] for name in shown]
        # A silenced cause still silences what it causes.
        reached = effects | {name for effect in effects & causes for name in EFFECTS[effect] & shown}
        silenced |= {label(alerts[name]) for name in reached}
    alertmanager.post(sent)
    expected = {label(labels): label(labels) in silenced for labels in sent}
    wait_for("every effect to be silenced and nothing else", lambda: alertmanager.inhibited() == expected)


def test_without_a_cause_every_effect_is_heard(alertmanager: Alertmanager) -> None:
    effects = set().union(*EFFECTS.values()) - EFFECTS.keys()
    alerts = [labels for name, labels in of("a").items() if name in effects]
    alertmanager.post([*alerts, *(labels for name, labels in of("b").items() if name in EFFECTS)])
    wait_for("all alerts", lambda: len(alertmanager.inhibited()) == len(alerts) + len(EFFECTS))
    assert not [
        name
        for name, inhibited in alertmanager.inhibited().items()
        if inhibited and ("account=a" in name or "job=job-a" in name)
    ]


def test_a_wrong_clock_silences_what_it_makes_fail(alertmanager: Alertmanager) -> None:
    failing = {reason: alert("AliyunTaskTargetFailing", account="a", reason=reason) for reason in ("clock", "timeout")}
    alertmanager.post([*failing.values(), alert("AliyunTaskClockSkew", job="exporter", instance="a")])
    wait_for("the clock's", lambda: alertmanager.inhibited().get(label(failing["clock"])))
    assert not alertmanager.inhibited()[label(failing["timeout"])]
