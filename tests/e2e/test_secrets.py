"""No secret appears anywhere, however much is logged and whatever goes wrong."""

import signal

import pytest

from cloud import KEY_ID, SECRET
from configuration import account, everything
from conftest import Exporter, Serve, Simulate
from exposition import family, samples, scrape
from program import free_port
from waiting import wait_for
from web import get_text

BAD_KEY, BAD_SECRET, TOKEN = "LTAI5tCanaryOfTheKeyId", "CanaryOfTheKeySecret", "CanaryOfTheSecurityToken"
SECRETS = (KEY_ID, SECRET, BAD_KEY, BAD_SECRET, TOKEN, "Signature=", "SignatureNonce", "AccessKeyId=")
PAGES = ("/metrics", "/", "/config", "/api/v1/status")

# One server for each way in which an account can work or fail.
REASONS = {"good": None, "refused": "credentials", "unreachable": "connect", "stuck": "timeout", "html": "blocked"}


@pytest.fixture
def exporter(simulate: Simulate, serve: Serve) -> Exporter:
    """One account works; each of the others fails in its own way."""
    cloud = simulate(clusters=1, servers=5).cloud
    config = everything(cloud, timeout="500ms")
    servers = config["swas"]["servers"]
    for server, name in zip(servers, REASONS, strict=True):
        server["account"] = name
    for server, fault in ((servers[3], {"kind": "latency", "ms": 5000}), (servers[4], {"kind": "html", "status": 403})):
        cloud.add_fault({"instance_id": server["id"]}, **fault)
    config["accounts"] = [
        account(cloud.url, "good"),
        account(cloud.url, "refused", BAD_KEY, BAD_SECRET, security_token=TOKEN),
        account(f"http://127.0.0.1:{free_port()}", "unreachable", BAD_KEY, BAD_SECRET, security_token=TOKEN),
        account(cloud.url, "stuck"),
        account(cloud.url, "html"),
    ]
    return serve(config, "--log.level", "trace")


def test_no_secret_appears_anywhere(exporter: Exporter) -> None:
    expected = {(name, reason) for name, reason in REASONS.items() if reason}
    wait_for(f"the failures {expected}", lambda: failures(exporter.url) == expected)
    said = {page: get_text(exporter.url + page) for page in PAGES}
    exporter.program.signal(signal.SIGTERM)
    assert exporter.program.process.wait(timeout=5) == 0
    said |= {"stdout": exporter.program.out, "stderr": exporter.program.err}
    assert "refused" in said["stderr"]
    assert [(place, secret) for place, text in said.items() for secret in SECRETS if secret in text] == []


def failures(url: str) -> set[tuple[str, str]]:
    found = map(dict, family(samples(scrape(url)), "aliyun_task_exporter_target_failing"))
    return {(labels["account"], labels["reason"]) for labels in found}
