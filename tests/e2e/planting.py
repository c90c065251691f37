"""A configuration, files and an environment in which every secret is a canary."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from canary import Canaries
from cloud import Cloud
from configuration import POLL, Config, places

ROLE = "acs:ram::1234567890123456:role/exporter"
PROVIDER = "acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0001"


class Planting:
    """One account for each way to log in, each with its own server; `ini` uses the INI file for profiles."""

    def __init__(self, home: Path, url: str, canaries: Canaries, signature: str, ini: bool) -> None:
        self.home, self.url, self.canaries, self.signature = home, url, canaries, signature
        self.variables = {
            "HOME": str(home),
            **self.key("the environment", "ALIBABA_CLOUD_{}", "ACCESS_KEY_", "SECURITY_TOKEN"),
        }
        self.variables |= self.key("variables", "CANARY_{}", "", "TOKEN")
        profiles = self.ini() if ini else self.command_line()
        credentials = [*self.configured(), *profiles, *self.given()]
        self.accounts = [self.account(name, logging_in) for name, logging_in in credentials]
        self.accounts[0]["assume_role"] = {"arn": ROLE, "external_id": canaries.word("external_id")}
        self.proxied()

    def config(self, cloud: Cloud, state: Path) -> Config:
        world = cloud.world()
        servers = places(world, "servers")
        clusters = places(world, "clusters")
        for target, account in zip(servers, self.accounts, strict=True):
            target["account"] = account["name"]
        return {
            "poll": POLL,
            "accounts": self.accounts,
            "ehpc": {"clusters": clusters},
            "swas": {"servers": servers, "discovery": [{"regions": ["cn-hangzhou"], "include": "nothing"}]},
            "state": {"path": str(state)},
            "web": {"error_texts": True},
        }

    def key(self, place: str, name: str, key: str, token: str) -> dict[str, str]:
        """The three parts of a key, with names that follow a pattern."""
        return {
            name.format(f"{key}ID"): self.canaries.word(f"key id of {place}"),
            name.format(f"{key}SECRET"): self.canaries.secret(f"key secret of {place}"),
            name.format(token): self.canaries.secret(f"token of {place}"),
        }

    def file(self, name: str, text: str) -> str:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def configured(self) -> Iterator[tuple[str, Config]]:
        """Keys in the configuration itself."""
        key = self.key("access_key", "access_key_{}", "", "token")
        del key["access_key_token"]
        yield "value", {"provider": "access_key", **{name.lower(): value for name, value in key.items()}}
        names = {"access_key_id": "ID", "access_key_secret": "SECRET", "security_token": "TOKEN"}
        yield "variables", {"provider": "sts", **{name: f"${{CANARY_{part}}}" for name, part in names.items()}}
        held = self.key("files", "{}", "", "TOKEN")
        files = {name: "file:" + self.file(name, f"{held[part]}\n") for name, part in names.items()}
        yield "files", {"provider": "sts", **files}
        yield "environment", {"provider": "env"}

    def command_line(self) -> Iterator[tuple[str, Config]]:
        """Profiles of the vendor's command line."""
        role = {
            "ram_role_arn": ROLE,
            "ram_session_name": "e2e",
            "external_id": self.canaries.word("a profile's external_id"),
        }
        modes: dict[str, dict[str, Any]] = {"AK": {}, "StsToken": {}, "RamRoleArn": role}
        profiles = [{"name": mode, "mode": mode, **self.profile(mode), **more} for mode, more in modes.items()]
        uri = f"{self.url}/credentials/{self.canaries.word('address of a profile')}"
        profiles.append({"name": "CredentialsURI", "mode": "CredentialsURI", "credentials_uri": uri})
        self.file(".aliyun/config.json", json.dumps({"current": "AK", "profiles": profiles}))
        for profile in profiles:
            yield f"profile-{profile['name']}", {"provider": "profile", "profile": profile["name"]}

    def profile(self, mode: str) -> dict[str, str]:
        key = {
            name.lower(): value for name, value in self.key(f"profile {mode}", "{}", "access_key_", "sts_token").items()
        }
        return key if mode == "StsToken" else {name: key[name] for name in key if name != "sts_token"}

    def ini(self) -> Iterator[tuple[str, Config]]:
        """Sections of the vendor's credentials file."""
        text = ""
        for kind in ("access_key", "ram_role_arn"):
            key = self.key(f"section {kind}", "{}", "", "TOKEN")
            text += f"[{kind}]\ntype = {kind}\naccess_key_id = {key['ID']}\naccess_key_secret = {key['SECRET']}\n"
            text += f"role_arn = {ROLE}\nrole_session_name = e2e\n"
            yield f"section-{kind}", {"provider": "profile", "profile": kind}
        self.file(".alibabacloud/credentials.ini", text)

    def given(self) -> Iterator[tuple[str, Config]]:
        """Issued credentials."""
        yield "instance", {"provider": "ecs_ram_role"}
        token = self.file("token", self.canaries.word("OIDC token"))
        oidc = {"role_arn": ROLE, "role_session_name": "e2e", "oidc_provider_arn": PROVIDER, "oidc_token_file": token}
        yield "oidc", {"provider": "oidc", **oidc}
        yield "uri", {"provider": "credentials_uri", "uri": f"{self.url}/credentials/{self.canaries.word('address')}"}
        for proxy in ("proxy", "proxy-file", "proxy-environment"):
            yield proxy, {"provider": "env"}

    def account(self, name: str, credentials: Config) -> Config:
        endpoints = dict.fromkeys(("ehpc", "swas", "sts", "metadata"), self.url)
        quotas = {"EHPC": 900, "SWAS": 900}
        more = {"signature": self.signature, "endpoints": endpoints, "quotas": quotas}
        return {"name": name, "credentials": credentials, **more}

    def proxied(self) -> None:
        """The last three accounts use a proxy that requires a password; the host they call has no address."""
        value, file, environment = self.accounts[-3:]
        far = {"ehpc": "http://cloud.test", "swas": "http://cloud.test"}
        for account in (value, file, environment):
            account |= {"endpoints": far, "insecure_http": True}
        passwords = [self.canaries.secret(f"proxy password {place}") for place in ("value", "file", "environment")]
        value["proxy"] = {"url": self.url, "username": "exporter", "password": passwords[0]}
        held = "file:" + self.file("password", passwords[1])
        file["proxy"] = {"url": self.url, "username": "exporter", "password": held}
        user = f"exporter:{quote(passwords[2], safe='')}@"
        self.variables["HTTP_PROXY"] = self.url.replace("://", f"://{user}")
