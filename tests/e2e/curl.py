"""Requests with curl, which speaks HTTP/2 and shows client certificates."""

import subprocess
from dataclasses import dataclass

from program import environment

FORMAT = "%{stderr}%{http_code} %{http_version}"


@dataclass(frozen=True)
class Reply:
    """A response; `status` is 0 if there was none, and then `text` says why."""

    status: int
    version: str
    headers: dict[str, str]
    text: str


def curl(url: str, *options: str) -> Reply:
    # --disable is for ~/.curlrc.
    command = ["curl", "--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", "15"]
    command += ["--include", "--write-out", FORMAT, *options, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment())
    trouble, _, last = done.stderr.rpartition("\n")
    code, version = last.split()
    if done.returncode != 0:
        return Reply(0, version, {}, trouble)
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    named = (line.partition(":") for line in head.splitlines()[1:])
    return Reply(int(code), version, {name.lower(): value.strip() for name, _, value in named}, body)
