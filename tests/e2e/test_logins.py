"""Each way to log in and each way in which it fails, as the user sees it; and that a rotation loses no poll."""

import html
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cloud import KEY_ID, SECRET, Cloud
from configuration import Config, everything, write
from conftest import ANY_PORT, Exporter, Simulate, Start
from planting import PROVIDER, ROLE
from polling import polls, up
from program import run
from waiting import wait_for
from web import get_json, get_text, request

TOKEN = "testtoken"
KEY = {"access_key_id": KEY_ID, "access_key_secret": SECRET}
PROFILE = {"provider": "profile"}
SLOW = {"kind": "latency", "ms": 5000}


@dataclass
class Login:
    """A way to log in; `@HOME` and `@CLOUD` stand for those of the test."""

    credentials: Config
    files: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    assume_role: Config | None = None


def cli(mode: str, **fields: Any) -> Login:
    """A profile of the vendor's command line."""
    base = {"name": "base", "mode": "AK", **KEY}
    profile = {"name": "main", "mode": mode, **fields}
    file = json.dumps({"current": "main", "profiles": [profile, base]})
    return Login(PROFILE, {".aliyun/config.json": file, "token": TOKEN})


def ini(kind: str, **fields: str) -> Login:
    """A section of the vendor's credentials file."""
    lines = [f"{key} = {value}" for key, value in {"type": kind, **fields}.items()]
    return Login(PROFILE, {".alibabacloud/credentials": "\n".join(["[default]", *lines]), "token": TOKEN})


def oidc(token: str = TOKEN, role: str = ROLE, provider: str = PROVIDER) -> Login:
    names = {"role_arn": role, "oidc_provider_arn": provider, "oidc_token_file": "@HOME/token"}
    return Login({"provider": "oidc", **names}, {"token": token})


def environment(key_id: str, secret: str) -> Login:
    names = {"ALIBABA_CLOUD_ACCESS_KEY_ID": key_id, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": secret}
    return Login({"provider": "env"}, variables=names)


def assumed(arn: str = ROLE) -> Login:
    return Login({"provider": "access_key", **KEY}, assume_role={"arn": arn})


FILES = Login({"provider": "access_key", "access_key_id": KEY_ID, "access_key_secret": "file:@HOME/secret"})
INSTANCE, URI = Login({"provider": "ecs_ram_role"}), Login({"provider": "credentials_uri", "uri": "@CLOUD/credentials"})
TAKES = {"ram_role_arn": ROLE, "ram_session_name": "e2e"}
TRUSTS = {"oidc_provider_arn": PROVIDER, "oidc_token_file": "@HOME/token"}
SECTION = {"role_arn": ROLE, "role_session_name": "e2e"}

# What is set up wrongly or what happens to it, the fault, and what is reported.
FAILURES: dict[str, tuple[Login, dict[str, dict[str, Any]], str]] = {
    "environment, half": (
        Login({"provider": "env"}, variables={"ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID}),
        {},
        "the environment has no ALIBABA_CLOUD_ACCESS_KEY_SECRET, though it has ALIBABA_CLOUD_ACCESS_KEY_ID",
    ),
    "environment, wrong secret": (environment(KEY_ID, "another-secret"), {}, "SignatureDoesNotMatch"),
    "environment, deleted key": (environment("LTAI5tDeleted", SECRET), {}, "InvalidAccessKeyId.NotFound"),
    "file, missing": (FILES, {}, "reading the credentials: there is no file @HOME/secret"),
    "assume_role, wrong role": (assumed(f"{ROLE}-2"), {}, "EntityNotExist.Role: The role not exists."),
    "assume_role, STS down": (assumed(), {"AssumeRole": {"kind": "html", "status": 502}}, "HTTP 502"),
    "assume_role, STS slow": (assumed(), {"AssumeRole": SLOW}, "no answer within 2s"),
    "profile, no file": (Login(PROFILE), {}, "no profile anywhere: there is no file @HOME/.aliyun/config.json"),
    "profile, wrong secret": (cli("AK", **KEY | {"access_key_secret": "another"}), {}, "SignatureDoesNotMatch"),
    "profile, ended token": (cli("StsToken", **KEY, sts_token="ended"), {}, "InvalidSecurityToken"),
    "profile, wrong role": (
        cli("RamRoleArn", **KEY, **TAKES | {"ram_role_arn": f"{ROLE}-2"}),
        {},
        "EntityNotExist.Role",
    ),
    "profile, wrong instance role": (cli("EcsRamRole", ram_role_name="another"), {}, "has no RAM role another"),
    "profile, slow metadata": (cli("EcsRamRole"), {"MetadataRole": SLOW}, "no answer within 2s"),
    "profile, no token": (cli("OIDC", **TAKES, **TRUSTS | {"oidc_token_file": "/none"}), {}, "there is no file /none"),
    "profile, no source": (cli("ChainableRamRoleArn", **TAKES, source_profile="x"), {}, 'there is no profile "x"'),
    "profile, dead address": (cli("CredentialsURI", credentials_uri="http://127.0.0.1:1"), {}, "127.0.0.1:1"),
    "section, wrong secret": (ini("access_key", **KEY | {"access_key_secret": "another"}), {}, "SignatureDoesNotMatch"),
    "section, wrong role": (
        ini("ram_role_arn", **KEY, **SECTION | {"role_arn": f"{ROLE}-2"}),
        {},
        "EntityNotExist.Role",
    ),
    "section, slow metadata": (ini("ecs_ram_role"), {"MetadataCredentials": SLOW}, "no answer within 2s"),
    "section, no token": (
        ini("oidc_role_arn", **SECTION, oidc_token_file_path="/none", oidc_provider_arn=PROVIDER),
        {},
        "/none",
    ),
    "oidc, bad token": (oidc(token="another"), {}, "AuthenticationFail.OIDCToken.Invalid"),
    "oidc, wrong role": (oidc(role=f"{ROLE}-2"), {}, "EntityNotExist.Role"),
    "oidc, wrong provider": (oidc(provider=f"{PROVIDER}-2"), {}, "AuthenticationFail.NoPermission"),
    "oidc, empty token": (oidc(token=""), {}, "reading the OIDC token: @HOME/token is empty"),
    "oidc, STS slow": (oidc(), {"AssumeRoleWithOIDC": SLOW}, "no answer within 2s"),
    "instance, wrong role": (
        Login({"provider": "ecs_ram_role", "role_name": "another"}),
        {},
        "the ECS metadata server: the instance has no RAM role another (HTTP 404)",
    ),
    "instance, slow token": (
        Login({"provider": "ecs_ram_role"}, variables={"ALIBABA_CLOUD_IMDSV1_DISABLED": "true"}),
        {"MetadataToken": SLOW},
        "no answer within 2s, and ALIBABA_CLOUD_IMDSV1_DISABLED is true",
    ),
    "instance, slow": (INSTANCE, {"MetadataCredentials": SLOW}, "the ECS metadata server: @CLOUD: no answer within 2s"),
    "address, gone": (
        URI,
        {"CredentialsUri": {"kind": "html", "status": 404}},
        "the credentials URI at @CLOUD: HTTP 404",
    ),
    "address, slow": (URI, {"CredentialsUri": SLOW}, "the credentials URI: @CLOUD: no answer within 2s"),
    "default, slow metadata": (
        Login({"provider": "default"}),
        {"MetadataCredentials": SLOW},
        "(5) ECS RAM role: the ECS metadata server: @CLOUD: no answer within 2s",
    ),
}

# Those that issue credentials which expire.
TEMPORARY = {
    "assume_role": assumed(),
    "oidc": oidc(),
    "instance": INSTANCE,
    "address": URI,
    "profile RamRoleArn": cli("RamRoleArn", **KEY, **TAKES),
    "profile EcsRamRole": cli("EcsRamRole"),
    "profile OIDC": cli("OIDC", **TAKES, **TRUSTS),
    "profile ChainableRamRoleArn": cli("ChainableRamRoleArn", **TAKES, source_profile="base"),
    "profile CredentialsURI": cli("CredentialsURI", credentials_uri="@CLOUD/credentials"),
    "section ram_role_arn": ini("ram_role_arn", **KEY, **SECTION),
    "section ecs_ram_role": ini("ecs_ram_role"),
    "section oidc_role_arn": ini(
        "oidc_role_arn", **SECTION, oidc_provider_arn=PROVIDER, oidc_token_file_path="@HOME/token"
    ),
}

# What the credentials depend on, and what is reported while that is gone.
VANISHING = {
    "a key's file": (FILES, "secret"),
    "a profile": (cli("AK", **KEY), ".aliyun/config.json"),
    "a profile with a role": (TEMPORARY["profile RamRoleArn"], ".aliyun/config.json"),
    "a credentials file": (ini("access_key", **KEY), ".alibabacloud/credentials"),
    "a credentials file with a role": (TEMPORARY["section ram_role_arn"], ".alibabacloud/credentials"),
}


class Scene:
    """An exporter with one way to log in, and its cloud."""

    def __init__(self, cloud: Cloud, login: Login, start: Start, home: Path) -> None:
        self.cloud, self.login, self.home = cloud, login, home
        for name, text in login.files.items():
            self.write(name, text)
        config = everything(cloud, interval="200ms", idle_interval="200ms")
        named = dict.fromkeys(("ehpc", "swas", "sts", "metadata"), cloud.url)
        credentials = {key: self.filled(value) for key, value in login.credentials.items()}
        quotas = {"EHPC": 900, "SWAS": 900}
        account: Config = {"name": "main", "credentials": credentials, "endpoints": named, "quotas": quotas}
        config["accounts"] = [account | ({"assume_role": login.assume_role} if login.assume_role else {})]
        self.config = ("--config.file", write(home, config))
        self.variables = login.variables | {"HOME": str(home)}
        arguments = (*self.config, "--web.listen-address", ANY_PORT)
        self.exporter = Exporter(start(*arguments, **self.variables))

    def filled(self, text: str) -> str:
        return text.replace("@HOME", str(self.home)).replace("@CLOUD", self.cloud.url)

    def write(self, name: str, text: str) -> None:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.filled(text))

    def account(self) -> Any:
        (account,) = get_json(f"{self.exporter.url}/api/v1/status")["accounts"]
        return account

    def problems(self) -> list[str]:
        return [problem["kind"] for problem in self.account()["problems"]]

    def revoke(self) -> None:
        request(f"{self.cloud.url}/_sim/credentials", "DELETE")

    def assert_no_poll_lost(self) -> None:
        """Polls continue, and none at all has failed."""
        before = sum(polls(self.exporter).values())
        wait_for("many polls more", lambda: sum(polls(self.exporter).values()) > before + 10)
        assert {outcome for outcome, count in polls(self.exporter).items() if count} == {"ok"}


Stage = Callable[..., Scene]


@pytest.fixture
def stage(simulate: Simulate, start: Start, tmp_path: Path) -> Stage:
    def stage(login: Login, faults: dict[str, dict[str, Any]] | None = None) -> Scene:
        cloud = simulate(clusters=1, servers=1, latency="0ms").cloud
        for action, fault in (faults or {}).items():
            cloud.add_fault({"action": action}, **fault)
        return Scene(cloud, login, start, tmp_path)

    return stage


@pytest.mark.parametrize(("login", "faults", "wanted"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_told_on_the_page_in_the_log_and_by_doctor(
    stage: Stage, login: Login, faults: dict[str, dict[str, Any]], wanted: str
) -> None:
    scene = stage(login, faults)
    exporter = scene.exporter
    wanted = scene.filled(wanted).replace("http://", "")
    wait_for("all targets to fail", lambda: up(exporter) == [0.0] * 3)
    assert scene.problems() in (["no_credentials"], ["credentials_refused"])
    page = html.unescape(get_text(f"{exporter.url}/"))
    assert wanted in page
    assert "Account main: " in page
    told = get_json(f"{exporter.url}/api/v1/status")["targets"]
    assert {target["failure"]["reason"] for target in told} == {"credentials"}
    assert wanted in exporter.program.err.replace('\\"', '"')
    doctor = run("doctor", *scene.config, **scene.variables)
    assert (doctor.returncode, wanted in doctor.stdout) == (1, True), doctor.stdout
    assert "wrong key" in doctor.stdout
    said = page + exporter.program.err + doctor.stdout
    assert [secret for secret in (KEY_ID, SECRET, "another-secret", TOKEN) if secret in said] == []


@pytest.mark.parametrize("login", TEMPORARY.values(), ids=TEMPORARY)
def test_what_is_revoked_is_replaced_without_losing_a_poll(stage: Stage, login: Login) -> None:
    scene = stage(login)
    wait_for("all targets", lambda: up(scene.exporter) == [1.0] * 3)
    for _ in range(2):
        scene.revoke()
        scene.assert_no_poll_lost()
    account = scene.account()
    assert (account["credentials"]["kind"], account["problems"]) == ("temporary", [])


@pytest.mark.parametrize(("login", "name"), VANISHING.values(), ids=VANISHING)
def test_a_file_that_vanishes_is_told_and_loses_no_poll(stage: Stage, login: Login, name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    scene = stage(login)
    wait_for("all targets", lambda: up(scene.exporter) == [1.0] * 3)
    file = tmp_path / name
    text = file.read_text()
    file.unlink()
    wait_for("that it is told", lambda: scene.problems() == ["credentials_not_renewed"])
    scene.assert_no_poll_lost()
    assert file.name in get_text(f"{scene.exporter.url}/")
    scene.exporter.program.said("could not renew credentials.*" + file.name)
    file.write_text(text)
    wait_for("that all is well again", lambda: scene.problems() == [])
    scene.assert_no_poll_lost()
    scene.exporter.program.said("there are credentials again")


def test_temporary_credentials_that_something_else_renews_end_and_are_taken_anew(stage: Stage, tmp_path: Path) -> None:
    names = {"access_key_id": "AccessKeyId", "access_key_secret": "AccessKeySecret", "security_token": "SecurityToken"}
    scene = stage(Login({"provider": "sts", **{name: f"file:@HOME/{name}" for name in names}}))

    def renew() -> None:
        given = get_json(f"{scene.cloud.url}/credentials")
        for name, part in names.items():
            (tmp_path / name).write_text(given[part])

    renew()
    wait_for("all targets", lambda: up(scene.exporter) == [1.0] * 3)
    assert scene.account()["credentials"] == {"kind": "untold", "end": None}
    scene.revoke()
    wait_for("all targets to fail", lambda: up(scene.exporter) == [0.0] * 3)
    wait_for("that they are refused", lambda: scene.problems() == ["credentials_refused"])
    assert "InvalidSecurityToken.Expired" in get_text(f"{scene.exporter.url}/")
    renew()
    wait_for("all targets again", lambda: up(scene.exporter) == [1.0] * 3)
    wait_for("that all is well", lambda: scene.problems() == [])
