"""The service as its unit starts it, by hand: systemd needs a machine of its own."""

import json
import os
import shlex
import shutil
import signal
from pathlib import Path

from cloud import KEY_ID, SECRET, Cloud
from configuration import account, places
from packages import NAME, setting
from program import Program, free_port
from roots import CLEAN, Root

ETC = f"/etc/{NAME}"
STATE = f"/var/lib/{NAME}/state.redb"
CREDENTIALS = f"/run/credentials/{NAME}.service"


def unit(root: Root) -> Path:
    return root.path(f"/usr/lib/systemd/system/{NAME}.service")


def configure(root: Root, cloud: Cloud) -> str:
    """Writes what an administrator writes: targets, the key, a port. Returns the address."""
    files = {name: f"file:{CREDENTIALS}/{name.replace('_', '-')}" for name in ("access_key_id", "access_key_secret")}
    credentials = {"provider": "access_key", **files}
    config = {
        "accounts": [account(cloud.url) | {"credentials": credentials}],
        "swas": {"servers": places(cloud.world(), "servers")},
        "state": {"path": STATE},
    }
    # Written into the file that is there, which keeps its owner and mode.
    root.path(f"{ETC}/config.yaml").write_text(json.dumps(config, indent=2))
    for name, value in (("access-key-id", KEY_ID), ("access-key-secret", SECRET)):
        path = root.path(f"{ETC}/{name}")
        path.write_text(value + "\n")
        path.chmod(0o600)
    address = f"127.0.0.1:{free_port()}"
    root.path(f"{ETC}/environment").write_text(f"ALIYUN_TASK_EXPORTER_WEB_LISTEN_ADDRESS={address}\n")
    return address


def load_credentials(root: Root) -> None:
    """What LoadCredential does."""
    folder = root.path(CREDENTIALS)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, source in (value.split(":") for value in setting("LoadCredential", unit(root))):
        (folder / name).write_text(root.path(source).read_text())
        (folder / name).chmod(0o400)
    root.run("chown", "-R", f"{NAME}:", CREDENTIALS)


def environment(root: Root) -> dict[str, str]:
    (file,) = setting("EnvironmentFile", unit(root))
    lines = root.path(file.removeprefix("-")).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def as_user(root: Root) -> list[str]:
    (user,), (group,) = setting("User", unit(root)), setting("Group", unit(root))
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", "--no-new-privs", "--inh-caps=-all"]


class Service(Program):
    """The unit's command, as the unit's user, with what systemd gives it."""

    def __init__(self, root: Root, folder: Path, name: str) -> None:
        (command,) = setting("ExecStart", unit(root))
        load_credentials(root)
        variables = CLEAN | environment(root)
        super().__init__(root.command(*as_user(root), *shlex.split(command)), folder, name, **variables)

    @property
    def pid(self) -> int:
        """The exporter's, which is the only child of what made its namespaces."""
        parent = self.process.pid
        (child,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return int(child)

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(timeout=20)
