"""Sends requests and prints what comes back: a program of its own, so that it can run on another network.

Reads an address, a port, whether to speak TLS, and requests as (method, path) from standard input, as JSON; writes what
each was answered, without a byte changed.
"""

import json
import socket
import ssl
import sys
from collections.abc import Iterator
from functools import partial


def answers(address: str, port: int, tls: bool, requests: list[tuple[str, str]]) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for method, path in requests:
        plain = socket.create_connection((address, port), 5)
        with context.wrap_socket(plain) if tls else plain as sock:
            head = f"{method} {path} HTTP/1.1\r\nHost: {address}:{port}\r\nConnection: close\r\n\r\n"
            sock.sendall(head.encode("latin-1"))
            yield b"".join(iter(partial(received, sock), b"")).decode("latin-1")


def received(sock: socket.socket) -> bytes:
    """The next bytes; none if the connection was cut."""
    try:
        return sock.recv(65536)
    except ConnectionError:
        return b""


if __name__ == "__main__":
    json.dump(list(answers(*json.load(sys.stdin))), sys.stdout)
