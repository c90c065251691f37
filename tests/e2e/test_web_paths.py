"""Where things are: --web.route-prefix, --web.external-url and --web.telemetry-path."""

from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from cloud import Cloud
from configuration import NOTHING, everything
from conftest import Serve, Simulate
from curl import curl
from program import run
from waiting import wait_for
from web import answer, get_text

HOST = "exporter.example.com"
PREFIX = "/cloud/exporter"

# Flags, the prefix, and the path of the metrics.
PLACES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "nothing": ((), "", "/metrics"),
    "a prefix": (("--web.route-prefix", PREFIX), PREFIX, "/metrics"),
    "a prefix with a slash": (("--web.route-prefix", f"{PREFIX}/"), PREFIX, "/metrics"),
    "an external URL": (("--web.external-url", f"https://{HOST}{PREFIX}/"), PREFIX, "/metrics"),
    "an external URL, and no prefix": (
        ("--web.external-url", f"https://{HOST}{PREFIX}", "--web.route-prefix", "/"),
        "",
        "/metrics",
    ),
    "another path of metrics": (("--web.telemetry-path", "/probe/all"), "", "/probe/all"),
    "both": (("--web.telemetry-path", "/m", "--web.route-prefix", PREFIX), PREFIX, "/m"),
}


class Links(HTMLParser):
    """The addresses in a page, as a browser resolves them."""

    def __init__(self, base: str, page: str) -> None:
        super().__init__()
        self.base, self.found = base, set[str]()
        self.feed(page)

    def handle_starttag(self, _: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found |= {urljoin(self.base, value) for name, value in attributes if value and name in ("href", "src")}


def followed(base: str) -> Iterator[str]:
    """The addresses of this server in its page."""
    for link in Links(base, get_text(base)).found:
        if link.startswith("http") and urlsplit(link).netloc == urlsplit(base).netloc:
            yield link.partition("#")[0]


@pytest.fixture
def cloud(simulate: Simulate) -> Cloud:
    return simulate(clusters=1, servers=1).cloud


@pytest.mark.parametrize(("flags", "prefix", "telemetry"), PLACES.values(), ids=PLACES)
def test_every_link_leads_somewhere_under_the_prefix(
    flags: tuple[str, ...], prefix: str, telemetry: str, cloud: Cloud, serve: Serve
) -> None:
    base = serve(everything(cloud), *flags).url + prefix
    wait_for("it to be ready", lambda: answer(f"{base}/-/ready").status == 200)
    links = set(followed(f"{base}/"))
    places = ("/", telemetry, "/config", "/api/v1/status", "/-/healthy", "/-/ready")
    assert {base + place for place in places} <= links
    assert {f"{prefix}/static/page.{kind}" for kind in ("css", "js")} <= {urlsplit(link).path for link in links}
    assert {link: curl(link).status for link in links} == dict.fromkeys(links, 200)
    assert "aliyun_task_exporter_build_info" in get_text(base + telemetry)
    if telemetry != "/metrics":
        assert answer(f"{base}/metrics").status == 404


def test_outside_the_prefix_there_is_nothing_but_the_way_to_it(serve: Serve) -> None:
    url = serve(NOTHING, "--web.route-prefix", PREFIX).url
    for path in ("/metrics", "/config", "/-/healthy", "/-/reload", "/api/v1/status", "/static/page.css"):
        outside = (
            path,
            f"/cloud{path}",
            f"{PREFIX}er{path}",
            f"/cloud/./exporter{path}",
            path + PREFIX,
            f"/{PREFIX}{path}",
        )
        statuses = {place: curl(url + place, "--path-as-is").status for place in outside}
        assert statuses == dict.fromkeys(outside, 404)
    for path in ("/", PREFIX, f"{PREFIX}?a=b"):
        reply = curl(url + path)
        assert (reply.status, reply.headers.get("location")) == (307, f"{PREFIX}/"), path
    assert curl(f"{url}{PREFIX}/").status == 200


def test_pages_answer_only_under_names_of_this_server(serve: Serve) -> None:
    url = serve(NOTHING, "--web.external-url", f"https://{HOST}{PREFIX}", "--web.enable-lifecycle").url + PREFIX
    pages = ("/", "/config", "/api/v1/status", "/static/page.js", "/nothing")

    def statuses(host: str, *paths: str) -> list[int]:
        return [answer(url + path, Host=host).status for path in paths]

    for host in (HOST, HOST.upper(), f"{HOST}:443", "localhost", "127.0.0.1:1", "[::1]"):
        assert statuses(host, *pages) == [200, 200, 200, 200, 404], host
    for host in (f"{HOST}.evil.example", "evil.example", f"evil.{HOST}", "127.0.0.1.evil.example"):
        assert statuses(host, *pages) == [403] * 5, host
        assert answer(f"{url}/-/reload", "POST", Host=host).status == 403
        assert statuses(host, "/metrics", "/-/healthy") == [200, 200], "nothing of these is for a browser"
    refused = answer(url + "/", Host="evil.example").text
    assert ("evil.example" in refused, "--web.external-url" in refused) == (True, True)


@pytest.mark.parametrize(
    "flag",
    [
        "--web.telemetry-path=/",
        "--web.telemetry-path=metrics",
        "--web.telemetry-path=/-/healthy",
        "--web.telemetry-path=/api/v1/status",
        "--web.telemetry-path=/command",
        "--web.telemetry-path=/cluster/metrics",
        "--web.telemetry-path=/{all}",
        "--web.route-prefix=exporter",
        "--web.route-prefix=/a b",
        "--web.external-url=exporter.example.com",
        "--web.external-url=ftp://exporter.example.com",
        "--web.external-url=https://exporter.example.com/{a}",
    ],
)
def test_a_path_that_cannot_work_is_refused(flag: str) -> None:
    done = run(flag, "--swas.server", "cn-hangzhou/s")
    assert (done.returncode, flag.split("=")[0] in done.stderr) == (2, True), done.stderr
