"""Prometheus' own linter accepts the exposition and the alerts without remarks."""

import re
import shutil
import subprocess

import pytest

from conftest import Demo
from exposition import scrape
from program import ROOT
from settled import settle

TESTS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "deploy").glob("alerts*_test.yaml"))


def promtool(*arguments: str, text: str = "") -> str:
    """Its output; it must succeed."""
    program = shutil.which("promtool")
    assert program, "there is no promtool: make deps"
    done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_exposition_of_a_running_demo_is_clean(demo: Demo) -> None:
    settle(demo.cloud, demo.url)
    assert promtool("check", "metrics", text=scrape(demo.url)) == ""


@pytest.mark.parametrize("file", ["alerts.yaml", "rules.yaml"])
def test_the_rules_are_clean(file: str) -> None:
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", f"deploy/{file}")
    assert "rules found" in said


def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    assert len(TESTS) >= 3
    assert "SUCCESS" in promtool("test", "rules", *TESTS)


def test_every_alert_has_a_case_where_it_fires_and_one_where_it_stays_silent() -> None:
    rules = (ROOT / "deploy/alerts.yaml").read_text()
    tests = "".join((ROOT / name).read_text() for name in TESTS)
    fires, silent = set(), set()
    for case in tests.split("\n  - name: ")[1:]:
        firing = set(re.findall(r"\n      - alertname: (\w+)", case))
        fires |= firing
        silent |= set(re.findall(r"\n      - {alertname: (\w+),", case)) - firing
    alerts = set(re.findall(r"- alert: (\w+)", rules))
    assert (alerts - fires, alerts - silent) == (set(), set())


def test_the_recording_rules_count_what_ended() -> None:
    assert "SUCCESS" in promtool("test", "rules", "deploy/rules_test.yaml")
