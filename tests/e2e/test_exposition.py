"""/metrics is well formed in both formats, and has the same content in all forms."""

import gzip
import re
import zlib
from collections.abc import Iterator

import pytest
from prometheus_client import Metric
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from conftest import ANY_PORTS, Demo
from exposition import OPENMETRICS, TEXT, family, lines, samples, scrape
from program import exporter
from settled import settle, shown
from truth import expected
from waiting import wait_for
from web import request

FORMATS = (TEXT, OPENMETRICS)

# The lines that do not change while the world is frozen: all but the exporter's own.
STILL = re.compile(r"^(?:# \w+ )?aliyun_(?:ehpc|swas)_.*$", re.MULTILINE)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A fast world, frozen as soon as every family has samples."""
    with exporter(tmp_path_factory.mktemp("still"), "demo", *ANY_PORTS, "--time-scale=10") as program:
        demo = Demo(program)
        told = "aliyun_ehpc_task_duration_seconds_bucket"
        wait_for("a task that was watched from its birth to its end", lambda: told in scrape(demo.url))
        settle(demo.cloud, demo.url)
        yield demo


def test_both_formats_carry_the_same_samples_and_none_twice(still: Demo) -> None:
    text, openmetrics = (samples(scrape(still.url, accept)) for accept in FORMATS)
    assert text.keys() == openmetrics.keys()
    cloud = {key: value for key, value in text.items() if STILL.match(key[0])}
    assert cloud == {key: value for key, value in openmetrics.items() if STILL.match(key[0])}
    assert cloud.items() >= expected(shown(still.cloud, text)).items()


def test_a_strict_parser_accepts_openmetrics(still: Demo) -> None:
    page = scrape(still.url, OPENMETRICS)
    assert page.endswith("\n# EOF\n")
    families: list[Metric] = list(openmetrics_parser.text_string_to_metric_families(page))  # type: ignore[no-untyped-call]
    assert sum(len(found.samples) for found in families) == len(lines(page))
    assert len({found.name for found in families}) == len(families)
    assert {found.unit for found in families if found.name.endswith("_seconds")} == {"seconds"}


def test_a_parser_of_the_text_format_accepts_it(still: Demo) -> None:
    page = scrape(still.url)
    families = list(text_parser.text_string_to_metric_families(page))
    assert sum(len(found.samples) for found in families) == len(lines(page))
    assert not [found.name for found in families if found.type == "unknown" or not found.documentation]


@pytest.mark.parametrize("accept", FORMATS)
def test_gzip_says_the_same(still: Demo, accept: str) -> None:
    plain = request(f"{still.url}/metrics", Accept=accept)
    packed = request(f"{still.url}/metrics", Accept=accept, Accept_Encoding="gzip")
    assert (plain.headers.get("content-encoding"), packed.headers["content-encoding"]) == (None, "gzip")
    assert plain.headers["content-type"] == packed.headers["content-type"]
    assert len(packed.body) < len(plain.body) / 5
    member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    assert member.decompress(packed.body) == gzip.decompress(packed.body)
    assert (member.eof, member.unused_data) == (True, b""), "one member: curl reads no other"
    assert STILL.findall(gzip.decompress(packed.body).decode()) == STILL.findall(plain.text)


@pytest.mark.parametrize("accept", FORMATS)
def test_head_is_answered_without_a_body(demo: Demo, accept: str) -> None:
    answer = request(f"{demo.url}/metrics", "HEAD", Accept=accept)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"].startswith(accept.partition(";")[0])
    assert int(answer.headers["content-length"]) > 0


def test_the_exporter_counts_its_series_rightly(still: Demo) -> None:
    page = samples(scrape(still.url))
    shown = sum(family(page, "aliyun_task_exporter_target_series").values())
    counted = {key for key in page if STILL.match(key[0]) and not key[0].endswith(("cluster_info", "server_info"))}
    assert shown == len(counted)
