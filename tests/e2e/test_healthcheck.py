"""`healthcheck`: what a container's health check runs beside the exporter."""

import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from certificates import Certificates
from configuration import NOTHING, write_web
from conftest import ANY_PORT, Demo, Exporter, Serve, Start
from logins import users
from program import free_port, run


def healthcheck(*arguments: str, **variables: str) -> tuple[int, str]:
    """Its exit code and its only line, which is on standard output if all is well."""
    done = run("healthcheck", *arguments, **variables)
    good, bad = done.stdout.splitlines(), done.stderr.splitlines()
    assert (len(good), len(bad)) == ((1, 0) if done.returncode == 0 else (0, 1)), done
    return done.returncode, (good + bad)[0]


def port(url: str) -> str:
    found = re.search(r":(\d+)$", url)
    assert found
    return found[1]


@pytest.mark.parametrize("host", ["", "0.0.0.0", "[::]", "localhost", "127.0.0.1"])
def test_it_finds_the_server_wherever_it_listens(host: str, demo: Demo) -> None:
    address = f"{host}:{port(demo.url)}"
    asked = "localhost" if host == "localhost" else "127.0.0.1"
    wanted = (0, f"http://{asked}:{port(demo.url)}/-/ready: ready")
    demo.program.said("msg=listening")
    # Readiness waits for the first answer of the cloud.
    deadline = time.monotonic() + 20
    while (found := healthcheck("--web.listen-address", address)) != wanted and time.monotonic() < deadline:
        assert "not ready" in found[1]
    assert found == wanted
    assert healthcheck(ALIYUN_TASK_EXPORTER_WEB_LISTEN_ADDRESS=f"{address},127.0.0.1:1") == wanted


def test_it_tells_ready_from_healthy(serve: Serve) -> None:
    """No account has had an answer, for less than thirty seconds."""
    exporter = serve(NOTHING)
    address = exporter.url.removeprefix("http://")
    code, line = healthcheck("--web.listen-address", address)
    assert (code, line) == (
        1,
        f"{exporter.url}/-/ready: 503 Service Unavailable: not ready: no answer yet for account main",
    )
    assert healthcheck("--healthy", "--web.listen-address", address) == (0, f"{exporter.url}/-/healthy: healthy")


def test_it_follows_the_prefix(start: Start, tmp_path: Path) -> None:
    arguments = ["--swas.server", "cn-hangzhou/nobody", "--web.listen-address", ANY_PORT]
    exporter = Exporter(start(*arguments, "--web.external-url", "https://example.com/exporter/"))
    address = exporter.url.removeprefix("http://")
    for flag in (["--web.external-url", "https://example.com/exporter"], ["--web.route-prefix", "/exporter"]):
        code, line = healthcheck("--healthy", "--web.listen-address", address, *flag)
        assert (code, line) == (0, f"{exporter.url}/exporter/-/healthy: healthy")
    code, line = healthcheck("--healthy", "--web.listen-address", address)
    assert (code, "404 Not Found" in line) == (1, True)


def test_it_speaks_tls_when_the_web_configuration_does(
    certificates: Certificates, guard: Serve, tmp_path: Path
) -> None:
    """The certificate is for another name than the one by which it asks, and of an unknown authority."""
    exporter = guard({"tls_server_config": certificates.server.served})
    address = f":{port(exporter.url)}"
    web = ("--web.config.file", str(tmp_path / "web.yml"))
    assert healthcheck("--healthy", "--web.listen-address", address, *web)[0] == 0
    code, line = healthcheck("--healthy", "--web.listen-address", address)
    assert (code, line.startswith(f"http://127.0.0.1{address}/-/healthy: ")) == (1, True), line


def test_it_says_how_to_open_health_to_it(certificates: Certificates, guard: Serve, tmp_path: Path) -> None:
    authority = {
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_ca_file": str(certificates.authority.certificate),
    }
    closed = {"tls_server_config": certificates.server.served | authority}
    password = users()
    for index, web in enumerate((closed, password, closed | password)):
        for is_open in (False, True):
            exporter = guard(web, config=NOTHING | {"web": {"open_health": is_open}})
            file = write_web(tmp_path, web)
            address = exporter.url.partition("://")[2]
            code, line = healthcheck("--healthy", "--web.listen-address", address, "--web.config.file", file)
            assert (code, "open_health" in line) == ((0, False) if is_open else (1, True)), f"{index}: {line}"


def test_it_fails_in_one_line(tmp_path: Path) -> None:
    nothing = f"127.0.0.1:{free_port()}"
    code, line = healthcheck("--web.listen-address", nothing)
    assert (code, line) == (1, f"http://{nothing}/-/ready: connecting: Connection refused (os error 111)")
    code, line = healthcheck("--web.listen-address", "10977")
    assert (code, line) == (1, "10977: not an address: write HOST:PORT or :PORT")
    code, line = healthcheck("--web.config.file", str(tmp_path / "none.yml"))
    assert (code, "none.yml: the web configuration file cannot be read" in line) == (1, True)
    (tmp_path / "bad.yml").write_text("tls_server_config: {nonsense: 1}\nmore: 2\n")
    code, line = healthcheck("--web.config.file", str(tmp_path / "bad.yml"))
    assert (code, "`check` lists them" in line) == (1, True)


def test_it_does_not_wait_forever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        code, line = healthcheck("--timeout", "300ms", "--web.listen-address", address)
        assert (code, line) == (1, f"http://{address}/-/ready: no answer within 300ms")
        assert time.monotonic() - began < 5


def test_a_flood_is_not_read_to_its_end() -> None:
    flood = (
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0)); print(server.getsockname()[1], flush=True)\n"
        "client, _ = server.accept(); client.recv(4096)\n"
        "client.sendall(b'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n')\n"
        "while True: client.sendall(b'x' * 65536)\n"
    )
    with subprocess.Popen(
        ["python3", "-c", flood], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout
        code, line = healthcheck("--web.listen-address", f"127.0.0.1:{server.stdout.readline().strip()}")
        server.kill()
    assert (code, "reading the answer" in line) == (1, True), line
