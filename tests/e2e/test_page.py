"""The status page as a reader sees it, in real Chromium: content, live updates, search, permalinks, accessibility."""

import json
import os
import subprocess
from typing import Any

import pytest

from conftest import Demo, Start
from program import ROOT
from waiting import wait_for
from web import answer, get_json, get_text

MODULES = ROOT / "target/browser"
SCRIPT = ROOT / "tests/e2e/browser/browser.mjs"
# Where pictures of every page are wanted.
PICTURES = os.environ.get("STATUS_PAGE_PICTURES")

WIDTHS = [320, 375, 480, 600, 736, 737, 768, 820, 900, 1000, 1024, 1152, 1153, 1280, 1440, 1920, 2560]
AXE_WIDTHS = [320, 768, 1440]


def play(scenario: str, **settings: Any) -> Any:
    """What a scenario of browser.mjs has seen."""
    command = ["node", str(SCRIPT), scenario, json.dumps(settings)]
    variables = os.environ | {"BROWSER_MODULES": str(MODULES)}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def targets(demo: Demo, kind: str) -> list[dict[str, Any]]:
    return list(get_json(f"{demo.url}/api/v1/status?kind={kind}")["targets"])


@pytest.fixture
def settled(demo: Demo) -> Demo:
    """The demo, once everything was polled."""

    def all_up() -> bool:
        return bool(get_json(f"{demo.url}/api/v1/status?state=waiting")["targets_matching"] == 0)

    wait_for("every target to be polled", all_up)
    return demo


def pages(demo: Demo) -> dict[str, str]:
    """Every kind of page."""
    (cluster, *_) = [target for target in targets(demo, "ehpc_invocations") if target["commands"]]
    (server, *_) = [target for target in targets(demo, "swas_invocations") if target["invocations"]]
    paths = {
        "overview": "/",
        "failed": "/?show=failed",
        "cluster": f"/cluster/{cluster['id']}",
        "nodes": f"/command/{cluster['id']}/{cluster['commands'][0]['id']}",
        "server": f"/server/{server['id']}",
        "command": f"/command?name={server['invocations'][0]['command']}",
        "region": f"/region/{server['region']}",
        "absent": "/server/none",
    }
    return {name: demo.url + path for name, path in paths.items()}


def faults(seen: list[dict[str, Any]]) -> list[str]:
    found = []
    for look in seen:
        where = f"{look['name']} {look['locale']} {look['scheme']} {look['width']}px"
        found += [f"{where}: {what} is broken" for what in look["broken"]]
        found += [f"{where}: {violation}" for violation in look["violations"] if "status of 404" not in violation]
        if look["overflow"] > 0:
            found.append(f"{where}: sticks out by {look['overflow']} px")
    return found


def test_no_page_breaks_a_word_or_shuts_a_reader_out(settled: Demo) -> None:
    urls = pages(settled)
    seen = play(
        "look", urls=urls, widths=WIDTHS, axeWidths=AXE_WIDTHS, schemes=["light"], locales=["en-US"], pictures=PICTURES
    )
    assert {(each["name"], each["width"]) for each in seen} >= {(name, width) for name in urls for width in WIDTHS}
    few = {name: urls[name] for name in ("overview", "cluster")}
    seen += play(
        "look",
        urls=few,
        widths=AXE_WIDTHS,
        axeWidths=AXE_WIDTHS,
        schemes=["dark"],
        locales=["zh-CN"],
        pictures=PICTURES,
    )
    assert faults(seen) == []


def test_an_update_moves_nothing_under_the_eye_and_can_be_paused(settled: Demo) -> None:
    seen = play("live", url=settled.url + "/", seconds=8, width=1440)
    before, after, paused, still = (seen[name] for name in ("before", "after", "paused", "still"))
    assert after["now"] > before["now"], "it has updated"
    for same in ("scroll", "open", "focus", "typed", "rows"):
        assert after[same] == before[same], same
    assert (before["open"], before["typed"], before["focus"] is None) == (1, "typed", False)
    assert after["shift"] <= 0.02, after
    assert still["now"] == paused["now"], "it has paused"
    assert seen["errors"] == []


def test_rows_that_come_and_go_are_offered(start: Start) -> None:
    demo = Demo(
        start(
            "demo", "--web.listen-address", "127.0.0.1:0", "--sim.listen-address", "127.0.0.1:0", "--time-scale", "10"
        )
    )
    seen = play("rearrange", url=demo.url + "/")
    assert (seen["hidden"], seen["errors"]) == (True, [])
    assert seen["after"] != seen["before"]
    assert not [row for row in seen["after"] if row.startswith("gone")]


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without one"])
def test_a_search_leads_to_a_page_of_its_own(script: bool, settled: Demo) -> None:
    server = targets(settled, "swas_invocations")[0]
    seen = play("search", url=settled.url + "/", text=server["id"], absent=f"{settled.url}/cluster/none", script=script)
    assert f"q={server['id']}" in seen["found"]["url"]
    assert seen["found"]["rows"] == 1
    assert seen["single"]["url"] == f"{settled.url}/server/{server['id']}"
    assert server["name"] in seen["single"]["title"]
    assert seen["lost"] == {"status": 404, "title": "There is no cluster none"}
    assert seen["errors"] == []


def test_every_permalink_names_what_it_is_about_in_either_language(settled: Demo) -> None:
    for name, url in pages(settled).items():
        status = 404 if name == "absent" else 200
        for language, mark in (("zh-CN,zh;q=0.9,en;q=0.1", 'lang="zh-CN"'), ("en", '<html lang="en"')):
            reply = answer(url, Accept_Language=language)
            assert (reply.status, mark in reply.text) == (status, True), (name, language)
            assert reply.headers["vary"] == "Accept-Language, Accept-Encoding"
    assert 'lang="zh-CN"' in get_text(f"{settled.url}/?lang=zh").partition("<head>")[0]
