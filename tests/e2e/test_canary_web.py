"""No secret of the web configuration, nor one that a client sends, is repeated anywhere."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from canary import Canaries
from certificates import Certificates
from configuration import NOTHING, write
from conftest import Serve
from curl import Reply, curl
from logins import basic
from program import Program, run
from sinks import OPENMETRICS, PAGES

PASSWORD = "CanaryOfTheWebPassword+/?????drowssaPbeWehTfOyranaC="
HASH = "$2y$04$huf7N/03mlpUF4idCTFj3.iWllgnZDuYBWjvlrb.R4zu5VqF9AFdy"
TRACE = ("--log.level", "trace")


class Planted:
    """A web configuration whose key, password and hash are canaries."""

    def __init__(self, certificates: Certificates) -> None:
        self.canaries = Canaries()
        self.authority = str(certificates.authority.certificate)
        self.certificate = certificates.rsa.certificate.read_text()
        self.key = certificates.rsa.key.read_text()
        for number, line in enumerate(self.key.splitlines()[1:-2]):
            self.canaries.planted[f"line {number} of the key"] = line
        self.canaries.planted |= {"password": PASSWORD, "hash": HASH, "salt and hash": HASH.rpartition("$")[2]}

    def web(self, **tls: str) -> dict[str, dict[str, str]]:
        served = {"cert": self.certificate, "key": self.key} | tls
        return {"tls_server_config": served, "basic_auth_users": {"alice": HASH}}

    def wrong(self) -> Iterator[str]:
        """Headers that let nobody in."""
        secret, word = self.canaries.secret, self.canaries.word
        yield basic(secret("a wrong password"))
        yield basic(PASSWORD, word("a password as the user"))
        yield basic(secret("nobody's password"), "bob")
        yield f"Bearer {secret('a token')}"
        yield f"Basic {secret('not encoded')}"
        yield secret("no scheme")


def shown(reply: Reply) -> bytes:
    return f"{reply.headers}{reply.text}".encode()


@pytest.mark.parametrize("version", ["--http2", "--http1.1"])
@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_nothing_that_lets_in_is_repeated(
    version: str, log_format: str, certificates: Certificates, guard: Serve
) -> None:
    planted = Planted(certificates)
    exporter = guard(planted.web(), *TRACE, "--log.format", log_format, "--web.enable-lifecycle")

    def ask(path: str, authorization: str, *options: str) -> Reply:
        login = ("--header", f"Authorization: {authorization}")
        return curl(exporter.url + path, version, "--cacert", planted.authority, *login, *options)

    sinks = {}
    for path in PAGES:
        reply = ask(path, basic(PASSWORD))
        assert reply.status != 401
        sinks[path] = shown(reply)
    sinks["openmetrics"] = shown(ask("/metrics", basic(PASSWORD), "--header", f"Accept: {OPENMETRICS}"))
    for authorization in planted.wrong():
        reply = ask("/", authorization)
        assert reply.status == 401
        sinks[authorization] = shown(reply)
    query = planted.canaries.word("a query")
    assert ask(f"/config?{query}", basic(PASSWORD)).status == 200
    assert ask("/-/reload", basic(PASSWORD), "--request", "POST").status == 200
    sinks |= end(exporter.program)
    assert_none(planted.canaries, sinks)


def end(program: Program) -> dict[str, bytes]:
    """Stops it; what it has written."""
    program.signal(signal.SIGTERM)
    assert program.process.wait(timeout=10) == 0
    return {"stdout": program.out_path.read_bytes(), "stderr": program.err_path.read_bytes()}


def assert_none(canaries: Canaries, sinks: dict[str, bytes]) -> None:
    assert [(place, *leak) for place, text in sinks.items() for leak in canaries.found_in(text)] == []


def folded(text: str) -> str:
    return " ".join(text.split("\n"))


Damage = Callable[[Planted], str]

# What may go wrong when such a file is written.
DAMAGE: dict[str, Damage] = {
    "the key where its path belongs": lambda it: json.dumps(it.web(key="", key_file=it.key)),
    "the same in one line": lambda it: json.dumps(it.web(key="", key_file=folded(it.key))),
    "the key where the certificate's path belongs": lambda it: json.dumps(it.web(cert="", cert_file=it.key)),
    "the key where the authority's path belongs": lambda it: json.dumps(
        it.web(client_ca_file=it.key, client_auth_type="VerifyClientCertIfGiven")
    ),
    "the key as the certificate": lambda it: json.dumps(it.web(cert=it.key)),
    "the key beside its path": lambda it: json.dumps(it.web(key_file="tls.key")),
    "half a key": lambda it: json.dumps(it.web(key=it.key[:600])),
    "a damaged key": lambda it: json.dumps(it.web(key=it.key.replace(it.key.splitlines()[3][:4], "!!!!", 1))),
    "a damaged certificate that begins with the key": lambda it: json.dumps(
        it.web(cert=it.key.replace("KEY-----", "KEY ", 1))
    ),
    "a key that is not indented": lambda it: f"tls_server_config:\n  cert: c\n  key: |\n{it.key}",
    "a key on the line of its name": lambda it: f"tls_server_config:\n  cert: c\n  key: {it.key}",
    "the password itself": lambda it: f"basic_auth_users: {{alice: '{PASSWORD}'}}",
    "a cut hash": lambda it: f"basic_auth_users: {{alice: '{HASH[:-1]}'}}",
    "the password with its user": lambda it: f"basic_auth_users: {{'alice:{PASSWORD}': '{HASH}'}}",
    "the password as a user": lambda it: f"basic_auth_users: {{{it.canaries.word('a user')}: alice}}",
    "the password as a list": lambda it: f"basic_auth_users: {{alice: ['{PASSWORD}']}}",
    "the password as a key": lambda it: f"basic_auth_users: {{alice: {{'{PASSWORD}': 1}}}}",
    "no user": lambda it: f"basic_auth_users: '{PASSWORD}'",
    "no space": lambda it: f"basic_auth_users:\n  alice:{it.canaries.word('no space')}",
    "another indent": lambda it: f"basic_auth_users:\nalice: '{PASSWORD}'",
    "no end of a quote": lambda it: f"basic_auth_users:\n  alice: '{PASSWORD}",
    "a colon too many": lambda it: f"basic_auth_users:\n  alice: {it.canaries.word('a colon')}: x",
}


def test_of_a_damaged_one_nothing_is_repeated(certificates: Certificates, guard: Serve, tmp_path: Path) -> None:
    planted = Planted(certificates)
    exporter = guard(planted.web(), *TRACE, "--web.enable-lifecycle")
    config, web = write(tmp_path, NOTHING), tmp_path / "web.yml"

    def ask(path: str, *options: str) -> Reply:
        login = ("--header", f"Authorization: {basic(PASSWORD)}")
        return curl(exporter.url + path, "--cacert", planted.authority, *login, *options)

    sinks = {}
    for name, damage in DAMAGE.items():
        web.write_text(damage(planted))
        done = run("check", "--config.file", config, "--web.config.file", str(web), *TRACE)
        assert (done.returncode, "web.yml" in done.stderr) == (2, True), (name, done.stderr)
        sinks[f"check, {name}"] = (done.stdout + done.stderr).encode()
        reply = ask("/-/reload", "--request", "POST")
        assert (reply.status, "web.yml" in reply.text) == (400, True), (name, reply)
        sinks[f"reload, {name}"] = shown(reply)
    sinks |= {page: shown(ask(page)) for page in PAGES}
    sinks |= end(exporter.program)
    assert_none(planted.canaries, sinks)
    assert b"not reloaded" in sinks["stderr"]
