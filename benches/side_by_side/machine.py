"""The machine, and the resources its processes have used."""

import os
import platform
import re
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

MIB = 1 << 20


def family(pid: int) -> list[int]:
    """A process and those it started that are still alive."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and those it started, including threads that have ended, to the nanosecond."""
    # What clock_getcpuclockid(3) gives, which Python does not offer.
    return sum(time.clock_gettime(~member << 3 | 2) for member in family(pid))


def memory(pid: int) -> tuple[int, int]:
    """Resident bytes of a process and those it started: now, and at the peak."""
    now = most = 0
    for member in family(pid):
        status = Path(f"/proc/{member}/status").read_text()
        now += _kilobytes(status, "VmRSS")
        most += _kilobytes(status, "VmHWM")
    return now, most


def _kilobytes(status: str, field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"/proc names no {field}")
    return int(found[1]) * 1024


def description() -> str:
    """The machine in one line."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    total = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    parts = [
        f"{os.cpu_count()} cores of {cpu[1] if cpu else platform.machine()}",
        f"{int(total[1]) / MIB:.0f} GiB" if total else "",
        system[1] if system else platform.system(),
        f"Linux {platform.release()}",
    ]
    return ", ".join(part for part in parts if part)


def said(*command: str) -> str:
    """The first line of a command's output."""
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return (result.stdout + result.stderr).strip().splitlines()[0]
