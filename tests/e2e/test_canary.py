"""No secret leaks, wherever it comes from, whatever goes wrong and however much is logged."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from canary import Canaries, forms
from configuration import write
from conftest import ANY_PORT, Exporter, Simulate, Start
from parrot import MARK, Parrot
from planting import ROLE, Planting
from program import free_port, run
from sinks import outcomes, pages
from waiting import wait_for

COMMANDS = (
    ("check",),
    ("check", "--estimate"),
    ("check", "--estimate", "--live"),
    ("doctor",),
    ("doctor", "--format", "json", "--log.format", "json"),
)

# What the cloud does, whether it refuses credentials too, the signature, the log's format, where profiles are.
SCENES = {
    "working": ("relay", False, "v1", "logfmt", "config.json"),
    "working with v3": ("relay", False, "v3", "json", "ini"),
    "odd words": ("words", False, "v1", "json", "config.json"),
    "odd words with v3": ("words", False, "v3", "logfmt", "ini"),
    "told in texts": ("tell", False, "v1", "json", "config.json"),
    "told in texts with v3": ("tell", False, "v3", "logfmt", "ini"),
    "refused": ("refuse", False, "v1", "json", "config.json"),
    "refused with v3": ("refuse", False, "v3", "logfmt", "ini"),
    "all refused": ("refuse", True, "v1", "logfmt", "config.json"),
    "expired": ("expired", False, "v1", "logfmt", "ini"),
    "a page": ("page", True, "v1", "logfmt", "config.json"),
    "redirected": ("redirect", True, "v1", "json", "ini"),
    "unreachable": ("nobody", True, "v1", "logfmt", "config.json"),
}


def test_a_canary_is_found_in_every_form() -> None:
    canaries = Canaries()
    secret = canaries.secret("a place")
    canaries.word("another")
    assert canaries.found_in(b"level=info msg=nothing") == []
    written = list(forms(secret))
    assert len({text for _, text in written}) == len(written) == 9
    for form, text in written:
        assert ("a place", form) in canaries.found_in(b"account=main " + text + b" told")
    half = secret[: len(secret) // 2].encode()
    assert ("a place", "plain") in canaries.found_in(b"cut here: " + half)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_nothing_that_is_said_holds_a_secret(
    scene: tuple[str, bool, str, str, str], simulate: Simulate, start: Start, tmp_path: Path, stack: ExitStack
) -> None:
    manner, greedy, signature, log_format, profiles = scene
    accounts = 12 if profiles == "ini" else 14
    # A server of each account, a cluster's tasks and its commands, and the place where servers are discovered.
    targets = accounts + 3
    cloud = simulate(clusters=1, servers=accounts, latency="0ms").cloud
    canaries = Canaries()
    parrot = stack.enter_context(Parrot(cloud, canaries, manner, greedy))
    url = f"http://127.0.0.1:{free_port()}" if manner == "nobody" else parrot.url
    planting = Planting(tmp_path, url, canaries, signature, profiles == "ini")
    state = tmp_path / "state.redb"
    file = ("--config.file", write(tmp_path, planting.config(cloud, state)))
    trace = ("--log.level", "trace", "--log.format", log_format)

    program = start(*file, "--web.listen-address", ANY_PORT, *trace, **planting.variables)
    exporter = Exporter(program)
    wanted = 1.0 if manner in ("relay", "tell", "words") else 0.0
    wait_for("every target's outcome", lambda: outcomes(exporter) == [wanted] * targets)
    sinks = pages(exporter.url)
    program.signal(signal.SIGTERM)
    assert program.process.wait(timeout=10) == 0
    sinks |= {"stdout": program.out_path.read_bytes(), "stderr": program.err_path.read_bytes()}
    sinks["state"] = state.read_bytes()
    for command in COMMANDS:
        level = trace[:2] if "--log.format" in command else trace
        done = run(*command, *file, *level, **planting.variables)
        assert done.returncode in (0, 1), done.stderr
        sinks[" ".join(command)] = (done.stdout + done.stderr).encode()

    assert [place for place, text in sinks.items() if not text] == ["stdout"]
    if manner != "nobody":
        assert_all_were_told(parrot, canaries)
    leaks = [(place, *leak) for place, text in sinks.items() for leak in canaries.found_in(text)]
    assert leaks == [], {
        sink: [line[:700] for line in sinks[sink].splitlines() if canaries.found_in(line)][:1] for sink, *_ in leaks
    }
    if manner == "tell":
        assert [place for place, text in sinks.items() if MARK.encode() in text] == ["/", "/api/v1/status"]
        assert b"<secret>" in sinks["/api/v1/status"]
    said = b"".join(sinks.values())
    assert [told for told in parrot.signatures if told.encode() in said] == []


def assert_all_were_told(parrot: Parrot, canaries: Canaries) -> None:
    """Checks that everything that is ever sent was sent; otherwise it could not have leaked."""
    heard = "\n".join(parrot.heard).encode()
    told = {place for place, _ in canaries.found_in(heard)}
    kept = {place for place in canaries.planted if "secret" in place or place.startswith("token of ")}
    assert set(canaries.planted) - kept - told == set()


@pytest.mark.parametrize("command", [("check",), ("doctor",), ("serve", "--log.level", "trace")], ids=" ".join)
def test_no_problem_of_a_configuration_repeats_a_secret(command: tuple[str, ...], tmp_path: Path) -> None:
    canaries = Canaries()
    bad = {"name": "a", "assume_role": {}, "proxy": {}, "endpoints": {}, "credentials": {}}
    texts = {f"{section}.{key}": json.dumps([bad | {section: entry}]) for section, key, entry in wrong(canaries)}
    texts["no YAML"] = f'[{{name: a, credentials: {{access_key_secret: "{canaries.secret("no YAML")}'
    texts["no colon"] = f"\n  - credentials:\n      access_key_secret {canaries.secret('no colon')}"
    texts["no space"] = f"\n  - credentials:\n      access_key_secret:{canaries.secret('no space')}"
    for place, text in texts.items():
        file = tmp_path / "config.yaml"
        file.write_text(f"accounts: {text}\nswas: {{servers: [{{id: s, region: cn-hangzhou}}]}}\n")
        done = run(*command, "--config.file", str(file), CANARY=canaries.secret("a variable"))
        assert (done.returncode, "config.yaml" in done.stderr) == (2, True), place
        assert canaries.found_in((done.stdout + done.stderr).encode()) == [], (place, done.stderr)


def wrong(canaries: Canaries) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Account entries with a secret where none belongs, in a form that is not allowed, or as another type."""
    misplaced = {
        "credentials": ("provider", "role_name", "role_arn", "role_session_name", "oidc_provider_arn", "uri"),
        "assume_role": ("arn", "session_name", "duration"),
        "proxy": ("url",),
        "endpoints": ("ehpc", "swas", "sts", "metadata"),
    }
    owners = {"role_name": "ecs_ram_role", "uri": "credentials_uri"}
    for section, keys in misplaced.items():
        for key in keys:
            owner = {"provider": owners.get(key, "oidc")} if section == "credentials" else {}
            yield section, key, {**owner, key: canaries.secret(f"{section}.{key}")}
            yield section, f"{key} from a variable", {**owner, key: "${CANARY}"}
    for key in ("access_key_id", "access_key_secret", "security_token"):
        fixed = {"provider": "sts", "access_key_id": "a", "access_key_secret": "b", "security_token": "c"}
        yield "credentials", f"{key} as a list", fixed | {key: [canaries.secret(f"{key} as a list")]}
        yield "credentials", f"{key} as a key", fixed | {key: {canaries.secret(f"{key} as a key"): 1}}
        yield "credentials", f"{key} with a space", fixed | {key: canaries.secret(f"{key} with a space") + " a"}
        yield "credentials", f"{key} of a relative file", fixed | {key: "file:" + canaries.secret(f"file of {key}")}
        yield "credentials", f"{key} elsewhere", {"provider": "env", key: canaries.secret(f"{key} elsewhere")}
        yield "credentials", f"{key} twice over", fixed | {canaries.word(f"{key} as a name"): "d"}
    yield "assume_role", "external_id", {"arn": ROLE, "external_id": canaries.secret("external_id")}
    yield "proxy", "password", {"password": canaries.secret("a password without a proxy")}
    yield "proxy", "url", {"url": f"http://user:{canaries.word('a password in a URL')}@127.0.0.1:1"}
    yield "endpoints", "ehpc", {"ehpc": f"https://user:{canaries.word('a password in an endpoint')}@127.0.0.1"}
