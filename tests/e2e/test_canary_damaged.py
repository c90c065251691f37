"""No part of a file that holds a secret is repeated if it is damaged, half written, or of the wrong kind."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from canary import Canaries
from configuration import POLL, Config, write
from conftest import ANY_PORT, Exporter, Start
from planting import PROVIDER, ROLE
from program import free_port, run
from sinks import outcomes, pages
from waiting import wait_for

LETTERS = "CanaryWithLettersOnly"
TRACE = ("--log.level", "trace")

Damage = Callable[[Canaries], bytes]


def profile(**fields: object) -> bytes:
    """A file of the vendor's command line with one profile."""
    return json.dumps({"current": "main", "profiles": [{"name": "main", **fields}]}).encode()


def section(*lines: str) -> bytes:
    """A credentials file of the vendor's with one section."""
    return "\n".join(("[default]", *lines, "")).encode()


def key(canaries: Canaries) -> dict[str, str]:
    return {"access_key_id": canaries.word("key id"), "access_key_secret": canaries.secret("key secret")}


CLI: dict[str, Damage] = {
    "cut off": lambda planted: profile(mode="AK", **key(planted))[:-20],
    "no JSON": lambda planted: f"access_key_secret = {planted.secret('key secret')}\n".encode(),
    "not UTF-8": lambda planted: profile(mode="AK", **key(planted)) + b"\xff",
    "a secret as the mode": lambda planted: profile(**key(planted) | {"mode": planted.secret("mode")}),
    "a key id as the mode": lambda planted: profile(**key(planted) | {"mode": planted.word("mode")}),
    "the secret as the mode": lambda planted: profile(**letters(planted) | {"mode": LETTERS}),
    "a list": lambda planted: profile(mode="AK", **key(planted) | {"access_key_secret": [planted.secret("list")]}),
    "no number": lambda planted: profile(mode="RamRoleArn", **key(planted) | {"expired_seconds": planted.secret("n")}),
    "profiles are none": lambda planted: json.dumps({"profiles": planted.secret("profiles")}).encode(),
    "no id": lambda planted: profile(mode="AK", access_key_secret=planted.secret("key secret")),
    "no role": lambda planted: profile(mode="RamRoleArn", **key(planted)),
    "an address": lambda planted: profile(mode="CredentialsURI", credentials_uri=planted.secret("address")),
}

INI: dict[str, Damage] = {
    "a secret as the type": lambda planted: section(f"type = {planted.secret('type')}"),
    "a key id as the type": lambda planted: section(f"type = {planted.word('type')}"),
    "the secret as the type": lambda planted: section(
        f"type = {LETTERS}", *(f"{name} = {value}" for name, value in letters(planted).items())
    ),
    "no equals sign": lambda planted: section("type = access_key", f"access_key_secret {planted.secret('key secret')}"),
    "no line end": lambda planted: section(f"type = access_key access_key_secret = {planted.secret('key secret')}"),
    "no section": lambda planted: f"type = access_key\naccess_key_secret = {planted.secret('key secret')}\n".encode(),
    "an open header": lambda planted: f"[default\naccess_key_secret = {planted.secret('key secret')}\n".encode(),
    "not UTF-8": lambda planted: section("type = access_key", planted.secret("key secret")) + b"\xff",
    "cut off": lambda planted: section("type = access_key", f"access_key_id = {planted.word('key id')}")[:-1],
}


def letters(planted: Canaries) -> dict[str, str]:
    """A key whose secret looks like a word."""
    planted.planted["letters"] = LETTERS
    return {"access_key_id": planted.word("key id"), "access_key_secret": LETTERS}


@pytest.mark.parametrize("damage", CLI.values(), ids=CLI)
def test_a_damaged_profile_is_not_repeated(damage: Damage, start: Start, tmp_path: Path) -> None:
    canaries = Canaries()
    place(tmp_path / ".aliyun/config.json", damage(canaries))
    assert_silent([{"provider": "profile"}], canaries, start, tmp_path)


@pytest.mark.parametrize("damage", INI.values(), ids=INI)
def test_a_damaged_credentials_file_is_not_repeated(damage: Damage, start: Start, tmp_path: Path) -> None:
    canaries = Canaries()
    place(tmp_path / ".alibabacloud/credentials.ini", damage(canaries))
    assert_silent([{"provider": "profile"}, {"provider": "default"}], canaries, start, tmp_path)


def test_of_a_secret_file_that_cannot_be_used_nothing_is_repeated(start: Start, tmp_path: Path) -> None:
    canaries = Canaries()
    other = place(tmp_path / "other", canaries.secret("a file in order").encode())
    (tmp_path / "folder").mkdir()
    bad = {
        "missing": str(tmp_path / "missing"),
        "empty": place(tmp_path / "empty", b" \n"),
        "folder": str(tmp_path / "folder"),
        "not-utf-8": place(tmp_path / "damaged", canaries.secret("a damaged file").encode() + b"\xff"),
        "two-lines": place(tmp_path / "two", f"{canaries.word('one')}\n{canaries.word('two')}\n".encode()),
    }
    key = {"provider": "access_key", "access_key_secret": f"file:{other}"}
    role = {"provider": "oidc", "role_arn": ROLE, "oidc_provider_arn": PROVIDER}
    keys = [{**key, "access_key_id": f"file:{path}"} for path in bad.values()]
    tokens = [{**role, "oidc_token_file": path} for path in bad.values()]
    assert_silent([*keys, *tokens], canaries, start, tmp_path)


def place(path: Path, text: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    return str(path)


def assert_silent(credentials: list[Config], canaries: Canaries, start: Start, home: Path) -> None:
    """Each account fails, and neither the exporter nor a command shows what is in its files."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    endpoints = dict.fromkeys(("ehpc", "swas", "sts", "metadata"), nowhere)
    accounts = [
        {"name": f"a{number}", "credentials": given, "endpoints": endpoints} for number, given in enumerate(credentials)
    ]
    servers = [{"id": f"s-{one['name']}", "region": "cn-hangzhou", "account": one["name"]} for one in accounts]
    file = ("--config.file", write(home, {"poll": POLL, "accounts": accounts, "swas": {"servers": servers}}))
    home_of = {"HOME": str(home)}

    program = start(*file, "--web.listen-address", ANY_PORT, *TRACE, **home_of)
    exporter = Exporter(program)
    wait_for("every account to fail", lambda: outcomes(exporter) == [0.0] * len(accounts))
    sinks = pages(exporter.url)
    program.signal(signal.SIGTERM)
    assert program.process.wait(timeout=10) == 0
    sinks |= {"stdout": program.out_path.read_bytes(), "stderr": program.err_path.read_bytes()}
    doctor = run("doctor", *file, *TRACE, **home_of)
    assert doctor.returncode == 1
    sinks["doctor"] = (doctor.stdout + doctor.stderr).encode()
    assert b"poll failed" in sinks["stderr"]
    leaks = [(sink, *leak) for sink, text in sinks.items() for leak in canaries.found_in(text)]
    assert leaks == [], doctor.stdout
