"""Both generations of the vendor's SDKs on a simulated cloud, as one function each.

Each takes a product, an operation and its parameters, and returns the body as parsed by the SDK.
"""

import importlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from alibabacloud_tea_openapi.models import Config
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient

EHPC, SWAS = "EHPC", "SWAS-OPEN"
REGION = "cn-hangzhou"

Body = dict[str, Any]


class Sdk(Protocol):
    def __call__(self, product: str, action: str, **parameters: object) -> Body: ...


class Refused(Exception):  # noqa: N818
    """The cloud has refused a call with this code."""


def old_generation(address: str, key_id: str, secret: str) -> Sdk:
    """aliyun-python-sdk-core: request classes with setters, JSON bodies."""
    packages = {EHPC: "aliyunsdkehpc.request.v20180412", SWAS: "aliyunsdkswas_open.request.v20200601"}
    host, port = address.split(":")

    def call(product: str, action: str, **parameters: object) -> Body:
        region = str(parameters.pop("RegionId", REGION))
        client = AcsClient(key_id, secret, region, port=int(port), timeout=10, auto_retry=False)
        request = getattr(importlib.import_module(f"{packages[product]}.{action}Request"), f"{action}Request")()
        request.set_protocol_type("http")
        request.endpoint = host
        for name, value in parameters.items():
            getattr(request, f"set_{name}")(value)
        try:
            body: Body = json.loads(client.do_action_with_exception(request))
        except ServerException as error:
            raise Refused(error.get_error_code()) from error
        return body

    return call


def tea_generation(address: str, key_id: str, secret: str, token: str | None = None) -> Sdk:
    """alibabacloud-tea-openapi with the V3 signature, its default: models in, models out."""
    return _tea(address, key_id, secret, None, token)


def tea_generation_v1(address: str, key_id: str, secret: str, token: str | None = None) -> Sdk:
    """The same with the RPC V1 signature, by this SDK's name for it."""
    return _tea(address, key_id, secret, "v2", token)


def _tea(address: str, key_id: str, secret: str, signature: str | None, token: str | None) -> Sdk:
    packages = {EHPC: "alibabacloud_ehpc20180412", SWAS: "alibabacloud_swas_open20200601"}

    def call(product: str, action: str, **parameters: object) -> Body:
        config = Config(access_key_id=key_id, access_key_secret=secret, endpoint=address, region_id=REGION)
        config.protocol, config.signature_algorithm, config.security_token = "http", signature, token
        client = importlib.import_module(f"{packages[product]}.client").Client(config)
        models = importlib.import_module(f"{packages[product]}.models")
        model = getattr(models, f"{action}Request", None)
        arguments = [model().from_map(parameters)] if model else []
        try:
            answer = getattr(client, snake_case(action))(*arguments)
        except Exception as error:
            raise Refused(getattr(error, "code", None) or str(error)) from error
        assert answer.status_code == 200
        body: Body = answer.body.to_map()
        return body

    return call


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def pages(sdk: Sdk, path: str, product: str, action: str, size: int, **parameters: object) -> list[Body]:
    """All entries of a list, over all its pages; `path` says where it is in the body."""
    return list(_pages(lambda number: sdk(product, action, PageNumber=number, PageSize=size, **parameters), path, size))


def _pages(page: Callable[[int], Body], path: str, size: int) -> Iterator[Body]:
    number, read = 1, 0
    while True:
        body = page(number)
        items = part(body, path)
        assert (body["PageNumber"], body["PageSize"]) == (number, size)
        read += len(items)
        yield from items
        if len(items) < size:
            break
        number += 1
    assert body["TotalCount"] == read


def part(body: Body, path: str) -> list[Body]:
    found: Any = body
    for key in path.split("."):
        found = found[key]
    assert isinstance(found, list)
    return found
