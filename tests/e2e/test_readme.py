"""The first minute with the README: no configuration file, two variables and a few flags."""

import re
from pathlib import Path

import pytest

from cloud import KEY_ID, SECRET
from configuration import places
from conftest import ANY_PORT, Exporter, Simulate
from exposition import family, samples, scrape
from polling import up
from program import BINARY, ROOT, Program
from waiting import wait_for

BLOCK = re.compile(r"^```sh\n(export ALIBABA_CLOUD_.*?)^```", re.MULTILINE | re.DOTALL)
RELEASE = "target/release/aliyun-task-exporter"


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_first_command_polls_within_a_minute(readme: str, simulate: Simulate, tmp_path: Path) -> None:
    cloud = simulate(clusters=1, servers=1).cloud
    found = BLOCK.search((ROOT / readme).read_text())
    assert found, f"{readme} has no such command any more"
    script = found[1].replace("_ID=…", f"_ID={KEY_ID}").replace("_SECRET=…", f"_SECRET={SECRET}")
    world = cloud.world()
    for kind, flag in (("clusters", "--ehpc.cluster"), ("servers", "--swas.server")):
        (place,) = places(world, kind)
        script, count = re.subn(rf"{flag} \S+", f"{flag} {place['region']}/{place['id']}", script)
        assert count == 1
    assert script.count(RELEASE) == 1
    # The only differences: a simulated cloud, and a port that nothing else uses.
    elsewhere = {
        "ALIYUN_TASK_EXPORTER_ACCOUNT_ENDPOINT": cloud.url,
        "ALIYUN_TASK_EXPORTER_WEB_LISTEN_ADDRESS": ANY_PORT,
    }
    command = ["sh", "-euc", script.replace(RELEASE, f"exec {BINARY}")]
    with Program(command, tmp_path, "readme", **elsewhere) as program:
        exporter = Exporter(program)
        wait_for("all that was named", lambda: up(exporter) == [1.0] * 3, 60)
        page = samples(scrape(exporter.url))
        for name in ("aliyun_ehpc_task_status", "aliyun_ehpc_invocation_status", "aliyun_swas_invocation_status"):
            assert family(page, name), name
