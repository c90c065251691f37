"""Configuration files. They are written as JSON, which is also YAML."""

import json
from pathlib import Path
from typing import Any

from cloud import KEY_ID, SECRET, Cloud, World

Config = dict[str, Any]

# Often enough for a test; everything else has its default.
POLL = {"interval": "1s", "idle_interval": "1s", "history_interval": "2s", "timeout": "2s"}

# Nothing listens there.
NOWHERE = "http://127.0.0.1:9"


def account(url: str, name: str = "main", key_id: str = KEY_ID, secret: str = SECRET, **more: str) -> Config:
    provider = "sts" if "security_token" in more else "access_key"
    credentials = {"provider": provider, "access_key_id": key_id, "access_key_secret": secret, **more}
    return {
        "name": name,
        "credentials": credentials,
        "endpoints": {"ehpc": url, "swas": url},
        "quotas": {"EHPC": 900, "SWAS": 900},
    }


def everything(cloud: Cloud, **poll: str) -> Config:
    """A configuration that polls everything."""
    world = cloud.world()
    return {
        "poll": POLL | poll,
        "accounts": [account(cloud.url)],
        "ehpc": {"clusters": places(world, "clusters")},
        "swas": {"servers": places(world, "servers")},
    }


NOTHING: Config = {
    "accounts": [account(NOWHERE)],
    "swas": {"servers": [{"id": "nobody", "region": "cn-hangzhou"}]},
}


def places(world: World, kind: str) -> list[dict[str, str]]:
    return [{"id": entry["id"], "region": entry["region"]} for entry in world[kind]]


def write(folder: Path, config: Config) -> str:
    path = folder / "config.yaml"
    path.write_text(json.dumps(config, indent=2))
    return str(path)


def write_web(folder: Path, config: Config) -> str:
    """Writes a web configuration."""
    path = folder / "web.yml"
    path.write_text(json.dumps(config, indent=2))
    return str(path)
