"""Ways to log in: the vendor's own providers with the simulated cloud, and the exporter where its users run it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_credentials.provider import (
    EcsRamRoleCredentialsProvider,
    OIDCRoleArnCredentialsProvider,
    RamRoleArnCredentialsProvider,
    StaticAKCredentialsProvider,
    URLCredentialsProvider,
)
from Tea.core import TeaCore

from cloud import KEY_ID, SECRET, Cloud
from configuration import everything, write
from conftest import ANY_PORT, Exporter, Simulate, Start
from exposition import family, samples, scrape
from polling import polls, up
from vendor import EHPC, Refused, tea_generation
from waiting import wait_for
from web import get_json, get_text, request

ROLE = "acs:ram::1234567890123456:role/exporter"
PROVIDER = "acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0001"
TOKEN = "testtoken"


@pytest.fixture
def cloud(simulate: Simulate) -> Cloud:
    return simulate(clusters=1, servers=1, latency="0ms").cloud


@pytest.fixture
def token(tmp_path: Path) -> str:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    return str(file)


@pytest.fixture(autouse=True)
def _plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor's providers support only https for STS."""
    do_action = TeaCore.do_action

    def plain(asked: Any, options: Any = None) -> Any:
        asked.protocol = "http"
        return do_action(asked, options)

    monkeypatch.setattr(TeaCore, "do_action", staticmethod(plain))


def metadata(address: str, _token: str) -> Any:
    provider = EcsRamRoleCredentialsProvider(async_update_enabled=False)
    provider._EcsRamRoleCredentialsProvider__metadata_service_host = address
    return provider


def uri(address: str, _token: str) -> Any:
    return URLCredentialsProvider(uri=f"http://{address}/credentials")


def assumed(address: str, _token: str) -> Any:
    base = StaticAKCredentialsProvider(access_key_id=KEY_ID, access_key_secret=SECRET)
    return RamRoleArnCredentialsProvider(
        credentials_provider=base, role_arn=ROLE, role_session_name="e2e", sts_endpoint=address
    )


def oidc(address: str, token: str) -> Any:
    return OIDCRoleArnCredentialsProvider(
        role_arn=ROLE,
        oidc_provider_arn=PROVIDER,
        oidc_token_file_path=token,
        role_session_name="e2e",
        sts_endpoint=address,
    )


@pytest.mark.parametrize("provider", [metadata, uri, assumed, oidc], ids=lambda provider: provider.__name__)
def test_the_vendors_providers_are_served(cloud: Cloud, token: str, provider: Callable[[str, str], Any]) -> None:
    address = cloud.url.removeprefix("http://")
    given = provider(address, token).get_credentials()
    key = (given.get_access_key_id(), given.get_access_key_secret(), given.get_security_token())
    sdk = tea_generation(address, *key)
    assert sdk(EHPC, "ListClusters")["TotalCount"] == 1
    with pytest.raises(Refused, match=r"^MissingSecurityToken$"):
        tea_generation(address, *key[:2])(EHPC, "ListClusters")
    request(f"{cloud.url}/_sim/credentials", "DELETE")
    with pytest.raises(Refused, match=r"^InvalidSecurityToken\.Expired$"):
        sdk(EHPC, "ListClusters")


def variables(_home: Path, _cloud: Cloud, _token: str) -> dict[str, str]:
    return {"ACCESS_KEY_ID": KEY_ID, "ACCESS_KEY_SECRET": SECRET}


def rrsa(_home: Path, _cloud: Cloud, token: str) -> dict[str, str]:
    return {"ROLE_ARN": ROLE, "OIDC_PROVIDER_ARN": PROVIDER, "OIDC_TOKEN_FILE": token}


def command_line(home: Path, _cloud: Cloud, _token: str) -> dict[str, str]:
    key = {"access_key_id": KEY_ID, "access_key_secret": SECRET}
    role = {"ram_role_arn": ROLE, "ram_session_name": "e2e", "expired_seconds": 900}
    profiles: list[dict[str, object]] = [{"name": "base", "mode": "AK", **key}]
    profiles.append({"name": "chained", "mode": "ChainableRamRoleArn", "source_profile": "base", **role})
    (home / ".aliyun").mkdir()
    (home / ".aliyun/config.json").write_text(json.dumps({"current": "base", "profiles": profiles}))
    return {"PROFILE": "chained"}


def credentials_file(home: Path, _cloud: Cloud, _token: str) -> dict[str, str]:
    (home / ".alibabacloud").mkdir()
    text = f"[default]\ntype = access_key\naccess_key_id = {KEY_ID}\naccess_key_secret = {SECRET}\n"
    (home / ".alibabacloud/credentials.ini").write_text(text)
    return {}


def instance(_home: Path, _cloud: Cloud, _token: str) -> dict[str, str]:
    return {"IMDSV1_DISABLED": "true"}


def sidecar(_home: Path, cloud: Cloud, _token: str) -> dict[str, str]:
    return {"ECS_METADATA_DISABLED": "true", "CREDENTIALS_URI": f"{cloud.url}/credentials"}


WAYS = [variables, rrsa, command_line, credentials_file, instance, sidecar]
Begin = Callable[..., Exporter]


@pytest.fixture
def begin(start: Start, tmp_path: Path) -> Begin:
    """Starts an exporter with `provider: default` and its own home directory."""

    def begin(cloud: Cloud, **set_variables: str) -> Exporter:
        config = everything(cloud)
        named = dict.fromkeys(("ehpc", "swas", "sts", "metadata"), cloud.url)
        config["accounts"] = [{"name": "main", "endpoints": named, "quotas": {"EHPC": 900, "SWAS": 900}}]
        env = {f"ALIBABA_CLOUD_{name}": value for name, value in set_variables.items()} | {"HOME": str(tmp_path)}
        arguments = ("--config.file", write(tmp_path, config), "--web.listen-address", ANY_PORT)
        return Exporter(start(*arguments, "--log.level", "trace", **env))

    return begin


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_default_finds_what_the_machine_has(
    cloud: Cloud, token: str, tmp_path: Path, begin: Begin, way: Callable[..., dict[str, str]]
) -> None:
    exporter = begin(cloud, **way(tmp_path, cloud, token))
    wait_for("all targets", lambda: up(exporter) == [1.0] * 3)
    request(f"{cloud.url}/_sim/credentials", "DELETE")
    polled = polls(exporter)
    wait_for("many polls more", lambda: sum(polls(exporter).values()) > sum(polled.values()) + 10)
    assert {outcome for outcome, count in polls(exporter).items() if count} == {"ok"}
    expiry = family(samples(scrape(exporter.url)), "aliyun_task_exporter_credentials_expiry_timestamp_seconds")
    assert len(expiry) == (0 if way in (variables, credentials_file) else 1)
    handed_out = [entry["access_key_id"] for entry in get_json(f"{cloud.url}/_sim/credentials")]
    said = exporter.program.out + exporter.program.err
    said += "".join(get_text(exporter.url + page) for page in ("/metrics", "/", "/config", "/api/v1/status"))
    said = said.replace(token, "")
    assert [secret for secret in [KEY_ID, SECRET, TOKEN, "CAIS", *handed_out] if secret in said] == []


def test_renewing_that_fails_is_told_and_so_is_that_it_works_again(cloud: Cloud, begin: Begin) -> None:
    exporter = begin(cloud)
    wait_for("all targets", lambda: up(exporter) == [1.0] * 3)
    cloud.add_fault({"action": "MetadataCredentials"}, kind="html", status=500)
    request(f"{cloud.url}/_sim/credentials", "DELETE")
    wait_for("all fail", lambda: up(exporter) == [0.0] * 3)
    failing = family(samples(scrape(exporter.url)), "aliyun_task_exporter_target_failing")
    assert {dict(labels)["reason"] for labels in failing} == {"credentials"}
    told = exporter.program.said(r".*could not renew credentials.*")[0]
    assert "level=warn" in told
    assert "account=main" in told
    assert "the ECS metadata server: HTTP 500 for the RAM role exporter" in told
    request(f"{cloud.url}/_sim/faults", "DELETE")
    wait_for("all targets", lambda: up(exporter) == [1.0] * 3)
    exporter.program.said("there are credentials again")


def test_where_nobody_has_any_all_places_are_named(cloud: Cloud, begin: Begin) -> None:
    exporter = begin(cloud, ECS_METADATA_DISABLED="true")
    told = exporter.program.said(r"no credentials anywhere: .*")[0]
    places = ["environment", "OIDC", "aliyun profile", "credentials file", "ECS RAM role", "credentials URI"]
    found = [told.find(f"({number}) {place}: ") for number, place in enumerate(places, 1)]
    assert found == sorted(found)
    assert -1 not in found
    assert "ALIBABA_CLOUD_ECS_METADATA_DISABLED is true" in told
