"""HTTP/2 by hand (RFC 9113, RFC 7541): any frame at any time, also those that no client would send."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)

# Flags.
ACK = END_STREAM = 0x1
END_HEADERS = 0x4

# Settings.
INITIAL_WINDOW_SIZE = 0x4

# Limits that every server keeps, or begins with.
LARGEST_FRAME = 1 << 14
LARGEST_WINDOW = (1 << 31) - 1
FIRST_WINDOW = (1 << 16) - 1
HEAD_BYTES = 9

Header = tuple[bytes, bytes]


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def settings(*pairs: tuple[int, int]) -> bytes:
    return frame(SETTINGS, payload=b"".join(key.to_bytes(2) + value.to_bytes(4) for key, value in pairs))


def number(value: int, bits: int, first: int) -> bytes:
    """A number of HPACK: in the last `bits` of the byte `first` and as many bytes more as it takes."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    value -= most
    rest = bytearray((first | most,))
    while value >= 0x80:
        rest.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*rest, value))


def text(value: bytes) -> bytes:
    return number(len(value), 7, 0) + value


def literal(header: Header, indexed: bool = False) -> bytes:
    """A header that is written out; an indexed one goes into the table of the connection."""
    return (b"\x40" if indexed else b"\x00") + text(header[0]) + text(header[1])


def block(path: str, *more: Header, method: str = "GET") -> bytes:
    """The header block of a request."""
    head = ((b":method", method.encode()), (b":scheme", b"https"), (b":authority", b"localhost"))
    return b"".join(map(literal, (*head, (b":path", path.encode()), *more)))


def request(stream: int, path: str, *more: Header) -> bytes:
    """A request without a body, in as many frames as its header block needs."""
    whole = block(path, *more)
    parts = [whole[at : at + LARGEST_FRAME] for at in range(0, len(whole), LARGEST_FRAME)]
    kinds = (HEADERS, *(CONTINUATION for _ in parts[1:]))
    return b"".join(
        frame(
            kind,
            (END_STREAM if kind == HEADERS else 0) | (END_HEADERS if at == len(parts) - 1 else 0),
            stream,
            part,
        )
        for at, (kind, part) in enumerate(zip(kinds, parts, strict=True))
    )
