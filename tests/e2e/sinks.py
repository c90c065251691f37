"""Where a running exporter could leak a secret."""

import gzip
import urllib.error

from conftest import Exporter
from exposition import family, samples, scrape
from web import request

PAGES = (
    "/",
    "/metrics",
    "/config",
    "/api/v1/status",
    "/-/healthy",
    "/-/ready",
    "/static/page.js",
    "/nowhere?Signature=1",
)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def outcomes(exporter: Exporter) -> list[float]:
    return list(family(samples(scrape(exporter.url)), "aliyun_task_exporter_target_up").values())


def pages(url: str) -> dict[str, bytes]:
    """Every page with its headers, and the metrics in every form that a reader may request."""
    found = {page: body(url + page) for page in PAGES}
    found["openmetrics"] = body(f"{url}/metrics", Accept=OPENMETRICS)
    found["gzip"] = gzip.decompress(request(f"{url}/metrics", Accept_Encoding="gzip").body)
    return found


def body(url: str, **headers: str) -> bytes:
    try:
        answer = request(url, "GET", None, **headers)
        return str(answer.headers).encode() + answer.body
    except urllib.error.HTTPError as error:
        return str(error.headers).encode() + error.read()
