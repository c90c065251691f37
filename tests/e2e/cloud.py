"""The simulator's own endpoints: the truth, the clock, the log of calls, faults."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import quote

from web import get_json, request

KEY_ID, SECRET = "testid", "testsecret"

World = dict[str, Any]
Call = dict[str, Any]


class Cloud:
    """A simulated cloud at an address such as http://127.0.0.1:10978."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def world(self, at: str | None = None) -> World:
        world: World = get_json(f"{self.url}/_sim/world" + (f"?at={quote(at)}" if at else ""))
        return world

    def freeze(self) -> str:
        """Freezes the world; returns when."""
        return str(self._post("time", {"frozen": True})["now"])

    def go_on(self) -> None:
        """Lets the world continue."""
        self._post("time", {"frozen": False})

    def add_fault(self, match: dict[str, str] | None = None, **fault: object) -> None:
        self._post("faults", [{"match": match or {}, "fault": fault}])

    def clear_faults(self) -> None:
        request(f"{self.url}/_sim/faults", "DELETE")

    def calls(self) -> list[Call]:
        calls: list[Call] = get_json(f"{self.url}/_sim/calls")["calls"]
        return calls

    def _post(self, path: str, body: object) -> Any:
        return json.loads(request(f"{self.url}/_sim/{path}", "POST", json.dumps(body).encode()).body)


def seconds(stamp: str) -> float:
    """A time of the cloud as Unix time, like in Prometheus."""
    head, _, fraction = stamp.removesuffix("Z").partition(".")
    whole = datetime.fromisoformat(f"{head}+00:00").timestamp()
    return whole + float(f"0.{fraction or 0}")
