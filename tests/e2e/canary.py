"""Canaries: secrets made up for a test, planted where real ones come from, and searched for where they must not be."""

import base64
import hashlib
from collections.abc import Iterator
from urllib.parse import quote

# Because of the question marks, every base64 of it differs from the base64 for URLs.
MIDDLE = "+/?????"


class Canaries:
    """All planted secrets, by where they were planted."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}

    def word(self, place: str) -> str:
        """A secret of letters and digits, such as an access key id."""
        self.planted[place] = f"Canary{hashlib.sha256(place.encode()).hexdigest()[:18]}"
        return self.planted[place]

    def secret(self, place: str) -> str:
        """A secret that changes when it is encoded."""
        word = self.word(place)
        self.planted[place] = f"{word}{MIDDLE}{word[::-1]}="
        return self.planted[place]

    def found_in(self, sink: bytes) -> list[tuple[str, str]]:
        """The planted secrets that a sink contains, each with its place and form. Half of a secret counts, too."""
        return [
            (place, form)
            for place, secret in self.planted.items()
            for part in dict.fromkeys((secret, *secret.split(MIDDLE)))
            for form, text in forms(part)
            if text in sink
        ]


def forms(secret: str) -> Iterator[tuple[str, bytes]]:
    """The secret in every form it may be written in, each with the form's name."""
    raw = secret.encode()
    once = quote(secret, safe="")
    yield "plain", raw
    yield "percent-encoded", once.encode()
    yield "percent-encoded twice", quote(once, safe="").encode()
    for before in range(3):
        # Leaves out characters that the secret shares with its neighbours.
        part = slice(-(-before * 8 // 6), (before + len(raw)) * 8 // 6)
        yield f"base64 at {before}", base64.b64encode(bytes(before) + raw)[part]
        yield f"base64 for URLs at {before}", base64.urlsafe_b64encode(bytes(before) + raw)[part]
