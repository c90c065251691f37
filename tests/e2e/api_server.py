"""The part of Kubernetes' API server that keeps Leases, and the relays through which one process reaches a server."""

import contextlib
import copy
import json
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from certificates import Certificate

Lease = dict[str, Any]

TOKEN = "the-token-of-the-service-account"
NAMESPACE = "monitoring"
PATH = re.compile(rf"/apis/coordination\.k8s\.io/v1/namespaces/{NAMESPACE}/leases(?:/([a-z0-9.-]+))?")


@dataclass(frozen=True)
class Write:
    """Who had a Lease after a write, and when that was."""

    holder: str
    at: float


class ApiServer:
    """Keeps Leases as the real one does: a write needs the resourceVersion that it replaces."""

    def __init__(self, certificate: Certificate, host: str = "127.0.0.1") -> None:
        self.leases: dict[str, Lease] = {}
        self.writes: list[Write] = []
        # Status and message of every answer, instead of an answer; seconds before one.
        self.fault: tuple[int, str] | None = None
        self.delay = 0.0
        self._version = 0
        self._lock = threading.Lock()
        handler = type("Handler", (Handler,), {"api": self})
        self._server = ThreadingHTTPServer((host, 0), handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def spec(self, name: str) -> dict[str, Any]:
        with self._lock:
            spec: dict[str, Any] = copy.deepcopy(self.leases.get(name, {}).get("spec", {}))
            return spec

    def put(self, name: str, spec: dict[str, Any]) -> None:
        """A Lease that another process has written."""
        with self._lock:
            self._store(name, {"metadata": {"name": name}, "spec": spec})

    def delete(self, name: str) -> None:
        with self._lock:
            del self.leases[name]

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, Any]:
        time.sleep(self.delay)
        if self.fault:
            status, message = self.fault
            return failure(status, message)
        if token != f"Bearer {TOKEN}":
            return failure(401, "Unauthorized")
        place = PATH.fullmatch(path)
        if not place:
            return failure(403, "leases is forbidden in this namespace")
        with self._lock:
            return self._answer(method, place[1], body)

    def _answer(self, method: str, name: str | None, body: bytes) -> tuple[int, Any]:
        if method == "POST":
            lease = json.loads(body)
            name = lease["metadata"]["name"]
            if name in self.leases:
                return failure(409, f'leases "{name}" already exists')
            return 201, self._store(name, lease)
        if name not in self.leases or name is None:
            return failure(404, f'leases "{name}" not found')
        if method == "GET":
            return 200, self.leases[name]
        lease = json.loads(body)
        if lease["metadata"].get("resourceVersion") != self.leases[name]["metadata"]["resourceVersion"]:
            return failure(409, "the object has been modified; please apply your changes to the latest version")
        return 200, self._store(name, lease)

    def _store(self, name: str, lease: Lease) -> Lease:
        self._version += 1
        kept = copy.deepcopy(lease)
        kept["metadata"] |= {"namespace": NAMESPACE, "resourceVersion": str(self._version)}
        self.leases[name] = kept
        self.writes.append(Write(kept["spec"].get("holderIdentity", ""), time.time()))
        return kept


class Handler(BaseHTTPRequestHandler):
    api: ApiServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_GET  # noqa: N815

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, told = self.api.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
        text = json.dumps(told).encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


def failure(status: int, message: str) -> tuple[int, Any]:
    return status, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status}


def service_account(folder: Path, authority: Certificate) -> Path:
    """What Kubernetes mounts into a pod."""
    account = folder / "serviceaccount"
    account.mkdir()
    (account / "token").write_text(TOKEN)
    (account / "namespace").write_text(NAMESPACE)
    (account / "ca.crt").write_text(authority.certificate.read_text())
    return account


class Relay:
    """A way to a server on this machine; it can be cut, as a network can."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", source: str = "127.0.0.1") -> None:
        # The port of the server; it may be set before the first connection.
        self.target = port
        # The address from which the server is called.
        self._source = source
        self._is_cut = False
        self._listener = socket.create_server((host, 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://{host}:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._listener.close()

    def cut(self) -> None:
        """From now on nothing arrives, and no client is told so."""
        self._is_cut = True

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                try:
                    server = socket.create_connection(("127.0.0.1", self.target), source_address=(self._source, 0))
                except OSError:
                    client.close()
                    continue
                for source, sink in [(client, server), (server, client)]:
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self._is_cut:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
