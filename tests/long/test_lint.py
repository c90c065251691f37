"""What the distributions' own linters say."""

import subprocess

import pytest

from packages import MANUAL, Packages


def said(*command: str) -> list[str]:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    return done.stdout.splitlines()


def test_lintian_finds_no_error(packages: Packages) -> None:
    told = said("lintian", "--allow-root", "--tag-display-limit=0", str(packages.deb))
    assert [line for line in told if not line.startswith("W:")] == []


@pytest.mark.parametrize("page", sorted((MANUAL / "man").glob("*.1")), ids=lambda page: page.stem)
def test_man_pages_can_be_read_everywhere(page: object) -> None:
    assert said("mandoc", "-T", "lint", "-W", "error", str(page)) == []
