"""A Debian in a folder, and programs that run in it."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Self

from program import ROOT

SUITE = "bookworm"
# Made once.
PRISTINE = ROOT / "target/long" / SUITE
# By default, that of debootstrap.
MIRROR = os.environ.get("DEBIAN_MIRROR", "")

# What a service gets from systemd.
CLEAN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}

# Writes down how it is called. It stands in for systemd, which needs a machine of its own.
SYSTEMCTL = """\
#!/bin/sh
echo "$*" >>/systemctl.log
case " $* " in
    *" is-enabled "*) echo enabled ;;
esac
"""


def pristine() -> Path:
    if not PRISTINE.exists():
        partial = PRISTINE.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        command = ["debootstrap", "--variant=minbase", SUITE, str(partial), *filter(None, [MIRROR])]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout[-3000:]
        partial.rename(PRISTINE)
    return PRISTINE


class Root:
    """A copy of it, to do with as a test likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["cp", "--archive", "--reflink=auto", f"{pristine()}/.", str(folder)], check=True)

    @classmethod
    def at(cls, folder: Path) -> Self:
        """Another root, which is there already."""
        root = cls.__new__(cls)
        root.folder = folder
        return root

    def path(self, path: str) -> Path:
        return self.folder / path.lstrip("/")

    def command(
        self, *command: str, read_only: bool = False, volumes: dict[str, str] | None = None, user: int = 0
    ) -> list[str]:
        """Runs in this root with its own processes, which end with it."""
        at = shlex.quote(str(self.folder))
        steps = [f"mount --bind {at} {at}", f"mount -t proc proc {at}/proc", f"mount -t tmpfs tmpfs {at}/dev"]
        for device in ("null", "urandom"):
            steps += [f"touch {at}/dev/{device}", f"mount --bind /dev/{device} {at}/dev/{device}"]
        steps += [f"mount --bind {shlex.quote(source)} {at}{place}" for source, place in (volumes or {}).items()]
        if read_only:
            steps.append(f"mount -o remount,bind,ro {at}")
        privileges = [f"--userspec={user}:{user}", "--groups="] if user else []
        change = shlex.join(["chroot", *privileges, str(self.folder), *command])
        inside = " && ".join([*steps, f"exec {change}"])
        space = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        return [*space, "sh", "-c", inside]

    def run(self, *command: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*command),
            env=CLEAN | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}"
        return done

    def has_systemd(self) -> None:
        """From now on it looks like a machine on which systemd runs; `told` is what it has been told."""
        self.path("/run/systemd/system").mkdir(parents=True)
        systemctl = self.path("/usr/bin/systemctl")
        systemctl.write_text(SYSTEMCTL)
        systemctl.chmod(0o755)
        self.path("/systemctl.log").touch()

    def told(self) -> list[str]:
        """What systemd was told since the last call, without questions."""
        log = self.path("/systemctl.log")
        lines = log.read_text().splitlines()
        log.write_text("")
        words = {"enable", "disable", "preset", "start", "stop", "try-restart", "restart", "daemon-reload"}
        return [word for line in lines for word in line.split() if word in words]

    def mode(self, path: str) -> str:
        """Type, permissions and owner of a file, by this root's own names."""
        return self.run("stat", "--format=%A %U:%G", path).stdout.strip()
