"""Prometheus' own linter accepts the exposition and the alerts without remarks."""

import shutil
import subprocess

from conftest import Demo
from exposition import scrape
from program import ROOT
from settled import settle


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


def test_the_alerts_are_clean() -> None:
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", "deploy/alerts.yaml")
    assert "rules found" in said


def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    tests = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "deploy").glob("alerts*_test.yaml"))
    assert len(tests) >= 3
    assert "SUCCESS" in promtool("test", "rules", *tests)
