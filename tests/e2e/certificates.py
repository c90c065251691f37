"""Certificates for the tests, made with openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

# Instead of the system's file, whose extensions would come on top.
BARE = "[req]\ndistinguished_name = none\n[none]\n"

AUTHORITY = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")
ENTITY = "basicConstraints=critical,CA:FALSE"
ADDRESS = "subjectAltName=IP:127.0.0.1,DNS:localhost"

# The names of a client, one of each kind that client_allowed_sans knows.
NAMES = {
    "DNS": "prometheus.example.com",
    "IP": "10.1.2.3",
    "email": "ops@example.com",
    "URI": "spiffe://example.com/prometheus",
}


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, in files."""

    certificate: Path
    key: Path

    @property
    def served(self) -> dict[str, str]:
        """The keys of `tls_server_config` with which it is served."""
        return {"cert_file": str(self.certificate), "key_file": str(self.key)}

    @property
    def shown(self) -> tuple[str, ...]:
        """The options with which curl shows it."""
        return "--cert", str(self.certificate), "--key", str(self.key)


class Certificates:
    """What an authority has signed, and what it has not."""

    def __init__(self, folder: Path, made: str = "") -> None:
        self.folder = folder
        # By which clock they are made, if not by this machine's.
        self._clock = ("faketime", "-f", made) if made else ()
        (folder / "bare.cnf").write_text(BARE)
        self.authority = self._make("authority", None, *AUTHORITY)
        self.server = self.of_server("server")
        self.rsa = self.of_server("rsa", rsa=True)
        between = self._make("between", self.authority, *AUTHORITY)
        self.chained = self.of_server("chained", between)
        with self.chained.certificate.open("a") as chain:
            chain.write(between.certificate.read_text())
        names = "subjectAltName=" + ",".join(f"{kind}:{name}" for kind, name in NAMES.items())
        self.client = self._make("client", self.authority, ENTITY, names)
        self.nameless = self._make("nameless", self.authority, ENTITY)
        self.stranger = self._make("stranger", None, ENTITY, names)

    def of_server(
        self, name: str, issuer: Certificate | None = None, rsa: bool = False, also: tuple[str, ...] = ()
    ) -> Certificate:
        """One of a server at 127.0.0.1, and also at other addresses."""
        names = ",".join([ADDRESS, *(f"IP:{address}" for address in also)])
        return self._make(name, issuer or self.authority, ENTITY, names, rsa=rsa)

    def _make(self, name: str, issuer: Certificate | None, *extensions: str, rsa: bool = False) -> Certificate:
        """One signed by `issuer`, or else by itself."""
        made = Certificate(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        command = [
            *self._clock,
            "openssl",
            "req",
            "-x509",
            "-nodes",
            "-days",
            "2",
            "-config",
            str(self.folder / "bare.cnf"),
        ]
        command += ["-newkey", "rsa:2048"] if rsa else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        command += ["-subj", f"/CN={name}", "-out", str(made.certificate), "-keyout", str(made.key)]
        if issuer:
            command += ["-CA", str(issuer.certificate), "-CAkey", str(issuer.key)]
        command += [word for extension in extensions for word in ("-addext", extension)]
        subprocess.run(command, check=True, capture_output=True)
        return made
