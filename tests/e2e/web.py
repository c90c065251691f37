"""Plain HTTP, without the proxies that the environment may set."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def request(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """One request; underscores in header names stand for hyphens. Raises for HTTP errors."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = urllib.request.Request(url, data=body, method=method, headers=named)
    with OPENER.open(asked, timeout=10) as answer:
        lower = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status, lower, answer.read())


def answer(url: str, method: str = "GET", **headers: str) -> Answer:
    """The same, with any status."""
    try:
        return request(url, method, None, **headers)
    except urllib.error.HTTPError as error:
        return Answer(error.code, {name.lower(): value for name, value in error.headers.items()}, error.read())


def get_text(url: str) -> str:
    return request(url).text


def get_json(url: str) -> Any:
    return json.loads(request(url).body)
