"""What openssl and curl see of a server with TLS."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from program import environment


@dataclass(frozen=True)
class Handshake:
    """What `openssl s_client` says about a handshake; without a version, it has failed."""

    text: str

    @property
    def version(self) -> str | None:
        return self._found(r"^New, (TLS\S+?), Cipher is TLS|^ *Protocol *: (TLS\S+)") if self.cipher else None

    @property
    def cipher(self) -> str | None:
        return self._found(r"^New, .*, Cipher is (?!\(NONE\))(\S+)")

    @property
    def curve(self) -> str | None:
        return self._found(r"^(?:Server|Peer) Temp Key: (?:ECDH, )?([\w-]+)")

    @property
    def protocol(self) -> str | None:
        """The one that ALPN has chosen."""
        return self._found(r"^ALPN protocol: (\S+)")

    @property
    def chain(self) -> list[str]:
        """The subjects of the certificates that were sent."""
        return re.findall(r"^ *\d+ s:CN ?= ?(.+)$", self.text, re.MULTILINE)

    def _found(self, pattern: str) -> str | None:
        match = re.search(pattern, self.text, re.MULTILINE)
        return next(filter(None, match.groups())) if match else None


def handshake(url: str, authority: Path, *options: str) -> Handshake:
    command = ["openssl", "s_client", "-connect", url.split("/")[2], "-CAfile", str(authority), *options]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=20, env=environment())
    return Handshake(done.stdout + done.stderr)
