"""TLS as the web configuration file says, seen by openssl and curl."""

from typing import Any

import pytest

from certificates import NAMES, Certificate, Certificates
from configuration import Config
from conftest import Serve
from curl import curl
from handshake import handshake

ECDSA = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"

# Without this, openssl itself refuses old versions.
OLD = ("-cipher", "DEFAULT:@SECLEVEL=0")

VERSIONS: dict[str, tuple[Config, set[str]]] = {
    "default": ({}, {"TLSv1.2", "TLSv1.3"}),
    "min_version": ({"min_version": "TLS13"}, {"TLSv1.3"}),
    "max_version": ({"max_version": "TLS12"}, {"TLSv1.2"}),
    "cipher_suites of 1.3 only": ({"cipher_suites": ["TLS_AES_128_GCM_SHA256"]}, {"TLSv1.3"}),
}


def tls(certificate: Certificate, **more: Any) -> Config:
    return {"tls_server_config": {**certificate.served, **more}}


@pytest.mark.parametrize(("settings", "wanted"), VERSIONS.values(), ids=VERSIONS)
def test_only_the_versions_that_it_says_are_spoken(
    settings: Config, wanted: set[str], certificates: Certificates, guard: Serve
) -> None:
    url = guard(tls(certificates.server, **settings)).url
    authority = certificates.authority.certificate
    spoken = {handshake(url, authority, f"-tls{flag}").version for flag in ("1_2", "1_3")} - {None}
    assert spoken == wanted
    for flag in ("-tls1", "-tls1_1"):
        old = handshake(url, authority, flag, *OLD)
        # Refused by the server, not by openssl.
        assert (old.version, "SSL alert number" in old.text) == (None, True), old.text
    assert curl(f"{url}/-/healthy", "--cacert", str(authority)).status == 200


def test_cipher_suites_are_those_that_it_says(certificates: Certificates, guard: Serve) -> None:
    suites = [ECDSA.replace("AES_128_GCM_SHA256", "CHACHA20_POLY1305_SHA256"), ECDSA]
    url = guard(tls(certificates.server, cipher_suites=suites)).url
    authority = certificates.authority.certificate

    def chosen(*names: str) -> str | None:
        return handshake(url, authority, "-tls1_2", "-cipher", ":".join(names)).cipher

    first, second, other = (
        f"ECDHE-ECDSA-{name}" for name in ("CHACHA20-POLY1305", "AES128-GCM-SHA256", "AES256-GCM-SHA384")
    )
    assert [chosen(name) for name in (first, second, other)] == [first, second, None]
    assert chosen(other, second, first) == first, "the file's order counts"
    assert handshake(url, authority, "-tls1_3").cipher is not None


def test_the_clients_order_of_cipher_suites_counts_if_it_says_so(certificates: Certificates, guard: Serve) -> None:
    url = guard(tls(certificates.rsa, prefer_server_cipher_suites=False)).url
    names = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"]
    for order in (names, names[::-1]):
        seen = handshake(url, certificates.authority.certificate, "-tls1_2", "-cipher", ":".join(order))
        assert seen.cipher == order[0], seen.text


def test_curves_are_those_that_it_says(certificates: Certificates, guard: Serve) -> None:
    # Another curve in the certificate's key would restrict these.
    url = guard(tls(certificates.rsa, curve_preferences=["CurveP384", "X25519"])).url
    authority = certificates.authority.certificate
    for version in ("-tls1_2", "-tls1_3"):
        curves = {group: handshake(url, authority, version, "-groups", group) for group in ("X25519", "P-256", "P-384")}
        assert {group: seen.curve for group, seen in curves.items() if seen.version} == {
            "X25519": "X25519",
            "P-384": "secp384r1",
        }


@pytest.mark.parametrize("http2", [True, False])
def test_http2_is_offered_unless_it_says_otherwise(http2: bool, certificates: Certificates, guard: Serve) -> None:
    settings = {} if http2 else {"http_server_config": {"http2": False}}
    url = guard(tls(certificates.server) | settings).url
    authority = certificates.authority.certificate
    assert handshake(url, authority, "-alpn", "h2,http/1.1").protocol == ("h2" if http2 else "http/1.1")
    assert handshake(url, authority, "-alpn", "http/1.1").protocol == "http/1.1"
    trust = ("--cacert", str(authority))
    for path in ("/", "/metrics"):
        reply = curl(url + path, "--http2", *trust)
        assert (reply.status, reply.version) == (200, "2" if http2 else "1.1"), reply
        assert curl(url + path, "--http1.1", *trust).version == "1.1"


def test_the_whole_chain_is_sent(certificates: Certificates, guard: Serve) -> None:
    url = guard(tls(certificates.chained)).url
    seen = handshake(url, certificates.authority.certificate, "-verify_return_error")
    assert (seen.chain, "Verify return code: 0 (ok)" in seen.text) == (["chained", "between"], True), seen.text


def test_plain_http_is_not_spoken_beside_tls(certificates: Certificates, guard: Serve) -> None:
    url = guard(tls(certificates.server)).url
    assert curl(url.replace("https", "http")).status == 0
    assert curl(url, "--cacert", str(certificates.authority.certificate)).status == 200, "nor is it disturbed"


def inline(certificate: Certificate) -> Config:
    return {"cert": certificate.certificate.read_text(), "key": certificate.key.read_text()}


def test_certificates_and_keys_may_be_in_the_file_itself(certificates: Certificates, guard: Serve) -> None:
    policy = {"client_auth_type": "RequireAndVerifyClientCert"}
    policy["client_ca"] = certificates.authority.certificate.read_text()
    url = guard({"tls_server_config": inline(certificates.server) | policy}).url
    trust = ("--cacert", str(certificates.authority.certificate))
    assert [curl(url, *trust, *shown).status for shown in ((), certificates.client.shown)] == [0, 200]


# Who gets in: without a certificate, with one of the authority, and with one that no authority signed.
POLICIES = {
    "NoClientCert": (True, True, True),
    "RequestClientCert": (True, True, True),
    "RequireAnyClientCert": (False, True, True),
    "RequireClientCert": (False, True, True),
    "VerifyClientCertIfGiven": (True, True, False),
    "RequireAndVerifyClientCert": (False, True, False),
}


@pytest.mark.parametrize(("policy", "wanted"), POLICIES.items(), ids=POLICIES)
def test_who_gets_in_by_client_auth_type(
    policy: str, wanted: tuple[bool, ...], certificates: Certificates, guard: Serve
) -> None:
    verifies = "Verify" in policy
    authority = {"client_ca_file": str(certificates.authority.certificate)} if verifies else {}
    url = guard(tls(certificates.server, client_auth_type=policy, **authority)).url
    trust = ("--cacert", str(certificates.authority.certificate))
    for versions in (("--tlsv1.3",), ("--tls-max", "1.2"), ("--http1.1",)):
        clients = ((), certificates.client.shown, certificates.stranger.shown)
        replies = [curl(f"{url}/metrics", *trust, *versions, *shown) for shown in clients]
        assert tuple(reply.status == 200 for reply in replies) == wanted, replies
        # Those that do not get in are turned away by the handshake.
        assert {reply.status for reply in replies} <= {0, 200}


@pytest.mark.parametrize("kind", NAMES)
def test_a_client_needs_one_of_the_allowed_names(kind: str, certificates: Certificates, guard: Serve) -> None:
    policy = {
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_ca_file": str(certificates.authority.certificate),
        "client_allowed_sans": ["other.example.com", NAMES[kind]],
    }
    url = guard(tls(certificates.server, **policy)).url
    trust = ("--cacert", str(certificates.authority.certificate))
    clients = (certificates.client, certificates.nameless, certificates.stranger)
    assert [curl(url, *trust, *client.shown).status for client in clients] == [200, 0, 0]


@pytest.mark.parametrize("policy", ["RequestClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven"])
def test_names_count_for_whoever_shows_a_certificate(policy: str, certificates: Certificates, guard: Serve) -> None:
    """As with the toolkit: a certificate that is only requested may be missing, but not one of another name."""
    names = ["example.com", "PROMETHEUS.example.com", "10.1.2.30", "example.com/prometheus"]
    settings: Config = {"client_auth_type": policy, "client_allowed_sans": names}
    if "Verify" in policy:
        settings["client_ca_file"] = str(certificates.authority.certificate)
    url = guard(tls(certificates.server, **settings)).url
    trust = ("--cacert", str(certificates.authority.certificate))
    may_be_missing = 0 if policy == "RequireAnyClientCert" else 200
    clients = ((), certificates.client.shown, certificates.nameless.shown)
    assert [curl(url, *trust, *shown).status for shown in clients] == [may_be_missing, 0, 0]
