"""The web configuration and the files that it names are read again when they change, and broken ones change nothing."""

import http.client
import json
import os
import re
import shutil
import signal
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from certificates import Certificate, Certificates
from configuration import NOTHING, write, write_web
from conftest import Exporter, Serve
from curl import Reply, curl
from exposition import samples, series
from handshake import handshake
from logins import OTHER, PASSWORD, USER, basic, users
from waiting import wait_for
from web import answer

# It looks every second, and takes what has not changed for one.
SOON = 5.0

SUCCESSFUL = series("aliyun_task_exporter_config_last_reload_successful")


def copy(certificate: Certificate, folder: Path) -> None:
    """Replaces both files at once, like a program that renews certificates."""
    for source, name in ((certificate.certificate, "tls.crt"), (certificate.key, "tls.key")):
        shutil.copy(source, folder / f"{name}.new")
        (folder / f"{name}.new").rename(folder / name)


def project(certificate: Certificate, folder: Path) -> None:
    """Replaces them like Kubernetes does in a volume: by a link to a new folder."""
    version = folder / f"..{certificate.certificate.stem}"
    version.mkdir()
    copy(certificate, version)
    (folder / "..data_tmp").symlink_to(version.name)
    (folder / "..data_tmp").rename(folder / "..data")
    for name in FILES.values():
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")


FILES = {"cert_file": "tls.crt", "key_file": "tls.key"}


@pytest.mark.parametrize("replace", [copy, project])
def test_a_new_certificate_is_served(
    replace: Callable[[Certificate, Path], None], certificates: Certificates, guard: Serve, tmp_path: Path
) -> None:
    replace(certificates.server, tmp_path)
    exporter = guard({"tls_server_config": FILES})

    def is_served(name: str) -> bool:
        return handshake(exporter.url, certificates.authority.certificate).chain[0] == name

    assert is_served("server")
    for made in (certificates.rsa, certificates.chained):
        replace(made, tmp_path)
        wait_for("the next certificate", partial(is_served, made.certificate.stem), SOON)
    assert "not reloaded" not in exporter.program.err


def test_another_password_counts_on_open_connections_too(guard: Serve, tmp_path: Path) -> None:
    exporter = guard(users())
    connection = http.client.HTTPConnection(exporter.url.split("/")[2], timeout=5)

    def status(password: str) -> int:
        connection.request("GET", "/metrics", headers={"Authorization": basic(password)})
        reply = connection.getresponse()
        reply.read()
        return reply.status

    assert (status(PASSWORD), status(OTHER)) == (200, 401)
    write_web(tmp_path, users(OTHER))
    wait_for("the other password", lambda: status(OTHER) == 200, SOON)
    assert status(PASSWORD) == 401
    write_web(tmp_path, {})
    wait_for("no password", lambda: answer(f"{exporter.url}/config").status == 200, SOON)
    write_web(tmp_path, users())
    wait_for("a password again", lambda: status(OTHER) == 401, SOON)
    connection.close()


@pytest.mark.parametrize("before", [None, "RequestClientCert"])
def test_what_came_in_by_other_rules_is_let_go(
    before: str | None, certificates: Certificates, guard: Serve, tmp_path: Path
) -> None:
    """Without TLS, or with a certificate that was not verified."""
    copy(certificates.server, tmp_path)
    authority = str(certificates.authority.certificate)
    exporter = guard({"tls_server_config": FILES | {"client_auth_type": before}} if before else {})
    context = ssl.create_default_context(cafile=authority)
    context.load_cert_chain(certificates.stranger.certificate, certificates.stranger.key)
    host = exporter.url.split("/")[2]
    connection = (
        http.client.HTTPSConnection(host, timeout=5, context=context)
        if before
        else http.client.HTTPConnection(host, timeout=5)
    )
    for _ in range(2):
        connection.request("GET", "/metrics")
        assert len(connection.getresponse().read()) > 0
    policy = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": authority}
    write_web(tmp_path, {"tls_server_config": FILES | policy})
    connection.sock.settimeout(SOON)
    assert connection.sock.recv(1) == b""
    connection.close()
    trust = ("--cacert", authority)
    url = f"https://{host}"
    assert curl(url, *trust, *certificates.client.shown).status == 200
    assert curl(url, *trust, *certificates.stranger.shown).status == 0


class Guarded:
    """An exporter with a password and TLS whose files can be broken."""

    def __init__(self, certificates: Certificates, guard: Serve, folder: Path) -> None:
        self.folder, self.authority = folder, certificates.authority.certificate
        self.good = users() | {"tls_server_config": FILES}
        copy(certificates.server, folder)
        self.exporter: Exporter = guard(self.good)

    def ask(self, path: str) -> Reply:
        trust = ("--cacert", str(self.authority))
        reply = curl(self.exporter.url + path, *trust, "--user", f"{USER}:{PASSWORD}")
        assert reply.status == 200, reply
        return reply

    @property
    def is_successful(self) -> bool:
        return samples(self.ask("/metrics").text)[SUCCESSFUL] == 1

    def log(self) -> str:
        return "\n".join(line for line in self.exporter.program.err.splitlines() if "not reloaded" in line)

    def shown(self) -> tuple[str, str]:
        """What the API and the page say about a refused reload."""
        page = "".join(re.findall("[^<>]* is not in force, [^<>]*", self.ask("/").text))
        return json.loads(self.ask("/api/v1/status").text)["reload_refused"] or "", page


@pytest.fixture
def guarded(certificates: Certificates, guard: Serve, tmp_path: Path) -> Guarded:
    return Guarded(certificates, guard, tmp_path)


DAMAGE: dict[str, tuple[Callable[[Guarded], object], str]] = {
    "no YAML": (lambda it: (it.folder / "web.yml").write_text("tls_server_config: {"), "not YAML"),
    "an unknown key": (lambda it: write_web(it.folder, it.good | {"tls": {}}), "unknown key"),
    "no file": (lambda it: (it.folder / "web.yml").unlink(), "web.yml"),
    "no certificate": (lambda it: (it.folder / "tls.crt").write_text("none"), "tls.crt"),
    "half a key": (lambda it: os.truncate(it.folder / "tls.key", 60), "tls.key"),
    "no key": (lambda it: (it.folder / "tls.key").unlink(), "tls.key"),
    "another key": (lambda it: shutil.copy(it.authority.with_suffix(".key"), it.folder / "tls.key"), "work together"),
}


@pytest.mark.parametrize(("damage", "told"), DAMAGE.values(), ids=DAMAGE)
def test_a_broken_one_changes_nothing_until_it_is_mended(
    damage: Callable[[Guarded], object], told: str, guarded: Guarded, certificates: Certificates
) -> None:
    assert guarded.is_successful
    damage(guarded)
    wait_for("the problem to be noticed", lambda: not guarded.is_successful, SOON)
    assert [told in said for said in (guarded.log(), *guarded.shown())] == [True] * 3, guarded.log()
    trust = ("--cacert", str(guarded.authority))
    assert curl(guarded.exporter.url, *trust, "--user", f"{USER}:{OTHER}").status == 401
    copy(certificates.server, guarded.folder)
    write_web(guarded.folder, guarded.good)
    wait_for("the problem to be gone", lambda: guarded.is_successful, SOON)
    assert guarded.shown() == ("", "")


def test_a_file_that_it_names_may_come_later(guarded: Guarded, certificates: Certificates) -> None:
    later = {"cert_file": "later/tls.crt", "key_file": "later/tls.key"}
    write_web(guarded.folder, guarded.good | {"tls_server_config": later})
    wait_for("the problem to be noticed", lambda: not guarded.is_successful, SOON)
    (guarded.folder / "later").mkdir()
    copy(certificates.rsa, guarded.folder / "later")
    wait_for("the problem to be gone", lambda: guarded.is_successful, SOON)
    assert handshake(guarded.exporter.url, guarded.authority).chain == ["rsa"]


def test_what_a_broken_one_has_held_up_is_taken_once_it_is_mended(guarded: Guarded) -> None:
    write_web(guarded.folder, guarded.good | {"tls": {}})
    write(guarded.folder, NOTHING | {"poll": {"interval": "57s"}})
    guarded.exporter.program.signal(signal.SIGHUP)
    guarded.exporter.program.said("cause=SIGHUP problems=.*unknown key")
    assert "57s" not in guarded.ask("/config").text
    write_web(guarded.folder, guarded.good)
    wait_for("the problem to be gone", lambda: guarded.is_successful, SOON)
    assert ("57s" in guarded.ask("/config").text, guarded.shown()) == (True, ("", ""))


def test_a_configuration_that_is_wrong_itself_stays_refused(guarded: Guarded) -> None:
    write(guarded.folder, NOTHING | {"pol": {}})
    guarded.exporter.program.signal(signal.SIGHUP)
    guarded.exporter.program.said("did you mean .*poll")
    before = guarded.shown()
    write_web(guarded.folder, guarded.good | {"tls": {}})
    wait_for("the other problem", lambda: guarded.shown() != before, SOON)
    write_web(guarded.folder, guarded.good)
    wait_for("the first problem", lambda: guarded.shown() == before, SOON)
    assert not guarded.is_successful
    write(guarded.folder, NOTHING)
    guarded.exporter.program.signal(signal.SIGHUP)
    wait_for("the problem to be gone", lambda: guarded.is_successful, SOON)
