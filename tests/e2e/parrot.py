"""A cloud that takes any key, issues canaries, and repeats whatever it was sent in the worst ways."""

import base64
import hashlib
import hmac
import json
import re
import threading
import urllib.error
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urlsplit

from canary import Canaries
from cloud import KEY_ID, SECRET, Cloud
from web import request

OWN = (
    "AccessKeyId",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureVersion",
    "SignatureNonce",
    "Timestamp",
)
SECRETS = ("AccessKeyId", "SecurityToken", "ExternalId", "OIDCToken")
REFUSED = 403
WORDS = (
    "BusinessStatus",
    "CommandType",
    "ErrorCode",
    "InstanceInvokeStatus",
    "InvocationStatus",
    "InvokeRecordStatus",
    "InvokeStatus",
    "Status",
    "TaskType",
)
# Begins each text of a parrot that tells.
MARK = "The parrot says"
ROLES = "/latest/meta-data/ram/security-credentials/"


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in an answer."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(inner)


class Parrot:
    """A server in front of a simulated cloud; also a metadata server, a credentials URI, STS and an HTTP proxy.

    `manner` says what happens to a call: `relay` answers it truthfully, `tell` repeats it in the texts about failures
    of a truthful answer, `refuse` repeats it in an error message, `page` in an HTML page, `redirect` in a redirect's
    address, and `expired` reports the token as expired; `words` answers it truthfully but for every status, type and
    code, which repeat it. `greedy` does the same to requests for credentials.
    """

    def __init__(self, cloud: Cloud, canaries: Canaries, manner: str, greedy: bool) -> None:
        self.cloud, self.canaries, self.manner, self.greedy = cloud, canaries, manner, greedy
        self.heard: list[str] = []
        self.signatures: set[str] = set()
        handler = type("Handler", (Handler,), {"parrot": self})
        self.server = Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def credentials(self, giver: str) -> dict[str, str]:
        until = datetime.now(UTC) + timedelta(hours=1)
        return {
            "AccessKeyId": self.canaries.word(f"key id of {giver}"),
            "AccessKeySecret": self.canaries.secret(f"key secret of {giver}"),
            "SecurityToken": self.canaries.secret(f"token of {giver}"),
            "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class Server(ThreadingHTTPServer):
    request_queue_size = 128


class Handler(BaseHTTPRequestHandler):
    parrot: Parrot
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url, body = urlsplit(self.path), self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        told = dict(parse_qsl(url.query, keep_blank_values=True)) | dict(parse_qsl(body, keep_blank_values=True))
        told |= {
            name: self.headers[f"x-acs-{name}"] for name in ("action", "version") if f"x-acs-{name}" in self.headers
        }
        heard = f"{self.command} {self.path}\n{self.headers}\n{body}"
        self.parrot.heard.append(heard + "\n".join(told.values()))
        signature = told.get("Signature") or self.headers.get("Authorization", "").rpartition("Signature=")[2]
        self.parrot.signatures |= {signature, told.get("SignatureNonce", "")} - {""}
        action = told.get("Action") or told.get("action", "")
        given = None if self.parrot.greedy else self.given(url.path, action)
        if given or self.parrot.manner == "relay":
            self.answer(*(given or self.relayed(url.path, told)))
        elif self.parrot.manner == "tell":
            status, answer = self.relayed(url.path, told)
            self.answer(status, self.telling(answer, told))
        elif self.parrot.manner == "words":
            status, answer = self.relayed(url.path, told)
            self.answer(status, json.dumps(self.said(json.loads(answer), self.secrets(told))).encode())
        else:
            self.repeat(heard, told)

    do_POST = do_PUT = do_GET  # noqa: N815

    def given(self, path: str, action: str) -> tuple[int, bytes] | None:
        """The answer to a request for credentials."""
        if path == "/latest/api/token":
            return 200, self.parrot.canaries.word("token of the metadata server").encode()
        if path == ROLES:
            return 200, b"exporter"
        if path.startswith(ROLES):
            return 200, json.dumps({"Code": "Success", **self.parrot.credentials("the instance")}).encode()
        if path.startswith("/credentials"):
            return 200, json.dumps({"Code": "Success", **self.parrot.credentials("the address")}).encode()
        if action.startswith("AssumeRole"):
            return 200, json.dumps({"RequestId": "1", "Credentials": self.parrot.credentials(action)}).encode()
        return None

    def relayed(self, path: str, told: dict[str, str]) -> tuple[int, bytes]:
        """The simulated cloud's answer to the same call, signed with its own key."""
        renamed = {name.capitalize() if name in ("action", "version") else name: told[name] for name in told}
        call = {name: value for name, value in renamed.items() if name not in OWN} | {
            "AccessKeyId": KEY_ID,
            "Format": "JSON",
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": uuid.uuid4().hex,
            "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        query = "&".join(f"{name}={quote(call[name], safe='~')}" for name in sorted(call))
        text = f"GET&%2F&{quote(query, safe='~')}"
        signature = base64.b64encode(hmac.digest(f"{SECRET}&".encode(), text.encode(), hashlib.sha1)).decode()
        try:
            answer = request(f"{self.parrot.cloud.url}{path}?{query}&Signature={quote(signature, safe='')}")
            return answer.status, answer.body
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def telling(self, answer: bytes, told: dict[str, str]) -> bytes:
        """An answer whose texts and codes of failures repeat the request's secrets, also where they are cut."""
        secrets = self.secrets(told)
        padding = "-" * (len(self.parrot.heard) * 7 % 200)
        text = f"{MARK} {secrets} {quote(str(secrets), safe='')} {padding} {secrets}"
        body = json.loads(answer)
        for failure in objects(body):
            if failure.get("ErrorCode"):
                failure |= {"ErrorCode": told.get("AccessKeyId", "none")[:64], "ErrorInfo": text}
            if failure.get("Errors", "[]") != "[]":
                errors = [
                    {"Code": told.get("AccessKeyId", "none"), "Message": text},
                    {"Code": "EcsError", "Message": text},
                ]
                failure["Errors"] = json.dumps(errors)
        return json.dumps(body).encode()

    def repeat(self, heard: str, told: dict[str, str]) -> None:
        match self.parrot.manner:
            case "redirect":
                self.answer(302, heard.encode(), Location=f"{self.parrot.url}{urlsplit(self.path).path}?{quote(heard)}")
            case "page":
                self.answer(502, f"<html>{heard} {told}</html>".encode(), "text/html")
            case "expired":
                self.fail("InvalidSecurityToken.Expired", told)
            case _:
                self.fail("SignatureDoesNotMatch", told)

    def secrets(self, told: dict[str, str]) -> list[str]:
        secrets = [told[name] for name in SECRETS if name in told] + [self.headers.get("x-acs-security-token", "")]
        signed = re.search("Credential=([^,]+)", self.headers.get("Authorization", ""))
        return [secret for secret in (*secrets, *(signed.groups() if signed else ())) if secret]

    def said(self, answer: Any, secrets: list[str]) -> Any:
        """The same answer with secrets as its words, which may be where a word is cut."""
        if isinstance(answer, list):
            return [self.said(entry, secrets) for entry in answer]
        if not isinstance(answer, dict):
            return answer
        word = "-" * (len(self.parrot.heard) * 7 % 64) + "".join(secrets)
        return {name: word if name in WORDS else self.said(value, secrets) for name, value in answer.items()}

    def fail(self, code: str, told: dict[str, str]) -> None:
        """As with the real cloud, the whole request comes last; the secrets before it may be where the text is cut."""
        secrets = self.secrets(told)
        padding = "-" * (len(self.parrot.heard) * 7 % 200)
        encoded = quote(str(secrets), safe="")
        message = f"Refused: {padding} {secrets} {encoded}; server string to sign is:{told} {self.headers}"
        body: dict[str, Any] = {"RequestId": "1", "HostId": "parrot", "Code": code, "Message": message}
        self.answer(REFUSED, json.dumps(body).encode())

    def answer(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Logs nothing: requests are in `heard`."""
