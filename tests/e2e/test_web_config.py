"""The web configuration: passwords, open health, headers, a rate limit, and what `check` and `demo` say about it."""

import json
import re
from pathlib import Path

import pytest

from certificates import Certificates
from configuration import NOTHING, everything, write, write_web
from conftest import ANY_PORTS, Exporter, Serve, Simulate, Start
from curl import curl
from logins import OTHER, PASSWORD, USER, basic, log_in, users
from program import run
from waiting import wait_for
from web import answer

HEALTH = ("/-/healthy", "/-/ready")
SERVED = ("/", "/metrics", "/config", "/api/v1/status", "/static/page.css", "/static/page.js", *HEALTH)


@pytest.fixture
def guarded(simulate: Simulate, guard: Serve) -> Exporter:
    config = everything(simulate(clusters=1, servers=1).cloud)
    exporter = guard(users(), "--web.enable-lifecycle", config=config)
    wait_for("it to be ready", lambda: log_in(f"{exporter.url}/-/ready").status == 200)
    return exporter


def test_nothing_is_served_without_the_right_password(guarded: Exporter) -> None:
    wrong = {
        "no password": {},
        "an empty one": {"Authorization": basic("")},
        "another one": {"Authorization": basic(OTHER)},
        "a part": {"Authorization": basic(PASSWORD.split(":")[0])},
        "nobody's": {"Authorization": basic(PASSWORD, "bob")},
        "no scheme": {"Authorization": basic(PASSWORD).split()[1]},
        "another scheme": {"Authorization": basic(PASSWORD).replace("Basic", "Bearer")},
        "no base64": {"Authorization": "Basic ?"},
    }
    requests = [*((path, "GET") for path in (*SERVED, "/nothing", "/-/reload", "//metrics")), ("/-/reload", "POST")]
    for why, headers in wrong.items():
        for path, method in requests:
            refused = answer(guarded.url + path, method, **headers)
            wanted = (401, 'Basic realm="restricted"', "a user name and its password are required\n")
            assert (refused.status, refused.headers.get("www-authenticate"), refused.text) == wanted, (why, path)
    assert "reloaded" not in guarded.program.err


def test_everything_is_served_with_the_right_password(guarded: Exporter) -> None:
    assert {path: log_in(guarded.url + path).status for path in SERVED} == dict.fromkeys(SERVED, 200)
    assert log_in(f"{guarded.url}/nothing").status == 404
    reload = f"{guarded.url}/-/reload"
    assert (log_in(reload).status, log_in(reload, method="POST").status) == (405, 200)
    assert log_in(f"{guarded.url}/metrics", OTHER).status == 401, "after the right one, too"


def test_with_a_password_every_name_of_the_server_is_taken(guarded: Exporter, guard: Serve) -> None:
    """Another site's page cannot know the password."""
    assert answer(guarded.url, Host="rebound.example.com", Authorization=basic(PASSWORD)).status == 200
    assert answer(guarded.url, Host="rebound.example.com").status == 401


def test_open_health_needs_no_password_and_nothing_else_is_open(guard: Serve) -> None:
    exporter = guard(users(), config=NOTHING | {"web": {"open_health": True}})
    assert {path: answer(exporter.url + path).status for path in HEALTH} == {"/-/healthy": 200, "/-/ready": 503}
    closed = (*set(SERVED) - set(HEALTH), "/-/healthy/", "/-/../metrics", "/%2D/healthy", "//-/healthy")
    assert {path: answer(exporter.url + path).status for path in closed} == dict.fromkeys(closed, 401)


def test_open_health_needs_no_client_certificate_and_nothing_else_is_open(
    certificates: Certificates, guard: Serve
) -> None:
    authority = str(certificates.authority.certificate)
    policy = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": authority}
    web = {"tls_server_config": certificates.server.served | policy}
    exporter = guard(web, config=NOTHING | {"web": {"open_health": True}})

    def statuses(*shown: str) -> dict[str, int]:
        return {path: curl(exporter.url + path, "--cacert", authority, *shown).status for path in SERVED}

    health = {"/-/healthy": 200, "/-/ready": 503}
    assert statuses() == dict.fromkeys(SERVED, 403) | health
    assert statuses(*certificates.client.shown) == dict.fromkeys(SERVED, 200) | health
    assert statuses(*certificates.stranger.shown) == dict.fromkeys(SERVED, 0), "a wrong one is worse than none"


def test_the_headers_that_it_sets_replace_ours_and_blank_ones_remove_them(guard: Serve) -> None:
    headers = {
        "X-Frame-Options": "sameorigin",
        "Content-Security-Policy": "",
        "Strict-Transport-Security": "max-age=31536000",
    }
    exporter = guard(users() | {"http_server_config": {"headers": headers}})
    for path in (*SERVED, "/nothing"):
        for reply in (answer(exporter.url + path), log_in(exporter.url + path)):
            assert reply.headers["x-frame-options"] == "sameorigin", path
            assert reply.headers["strict-transport-security"] == "max-age=31536000", path
            assert "content-security-policy" not in reply.headers, path
        assert reply.headers["x-content-type-options"] == "nosniff", "what it does not name stays"


def test_a_burst_passes_and_then_one_request_each_interval(guard: Serve) -> None:
    burst = 5
    exporter = guard({"rate_limit": {"interval": "2s", "burst": burst}})
    statuses = [answer(f"{exporter.url}/metrics").status for _ in range(burst * 2)]
    assert statuses == [200] * burst + [429] * burst
    assert "rate_limit" in answer(f"{exporter.url}/-/healthy").text, "health counts, too"
    wait_for("the next interval", lambda: answer(f"{exporter.url}/metrics").status == 200, 5)
    assert answer(f"{exporter.url}/metrics").status == 429


def test_open_health_is_not_limited(guard: Serve) -> None:
    web = {"rate_limit": {"interval": "1m", "burst": 1}}
    exporter = guard(web, config=NOTHING | {"web": {"open_health": True}})
    assert [answer(f"{exporter.url}/-/healthy").status for _ in range(5)] == [200] * 5
    assert [answer(f"{exporter.url}/metrics").status for _ in range(3)] == [200, 429, 429]


BAD = """\
tls_server_config:
  cert_file: server.crt
  min_version: TLS11
basic_auth_user:
  alice: secret
basic_auth_users:
  bob: secret
"""

PROBLEMS = [
    (1, "tls_server_config.key_file", "is missing"),
    (3, "tls_server_config.min_version", "TLS12 or TLS13"),
    (4, "basic_auth_user", 'did you mean "basic_auth_users"?'),
    (7, "basic_auth_users.bob", "is not a bcrypt hash"),
]


@pytest.mark.parametrize("command", [("check",), ("demo", *ANY_PORTS), ("--web.listen-address", "127.0.0.1:0")])
def test_every_problem_is_told_with_its_line(command: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text(BAD)
    polled = () if command[0] == "demo" else ("--config.file", write(tmp_path, NOTHING))
    done = run(*command, *polled, "--web.config.file", str(file))
    told = [line for line in done.stderr.splitlines() if "web.yml" in line]
    assert (done.returncode, len(told)) == (2, len(PROBLEMS)), done.stderr
    for line, (number, path, words) in zip(told, PROBLEMS, strict=True):
        assert re.search(rf"{re.escape(str(file))}:{number}: {re.escape(path)}: .*{re.escape(words)}", line), line


def test_files_that_it_names_and_that_cannot_be_used_are_told_by_name(
    certificates: Certificates, tmp_path: Path
) -> None:
    config = write(tmp_path, NOTHING)
    (tmp_path / "empty.pem").write_text("")
    server = certificates.server.served
    bad = {
        "cert_file": ("none.crt", "No such file"),
        "key_file": (server["cert_file"], "holds no private key"),
        "client_ca_file": ("empty.pem", "holds no certificate"),
    }
    for key, (file, words) in bad.items():
        settings = server | {"client_auth_type": "VerifyClientCertIfGiven", "client_ca_file": server["cert_file"]}
        web = write_web(tmp_path, {"tls_server_config": settings | {key: file}})
        done = run("check", "--config.file", config, "--web.config.file", web)
        assert done.returncode == 2
        assert re.search(rf"web\.yml: tls_server_config\.{key} .*{file}: .*{words}", done.stderr), done.stderr
    other = server | {"key_file": str(certificates.rsa.key)}
    done = run("check", "--config.file", config, "--web.config.file", write_web(tmp_path, {"tls_server_config": other}))
    assert (done.returncode, "do not work together" in done.stderr) == (2, True)


def test_check_takes_a_good_one_and_tells_problems_as_json(certificates: Certificates, tmp_path: Path) -> None:
    config = ("--config.file", write(tmp_path, NOTHING))
    good = ("--web.config.file", write_web(tmp_path, users() | {"tls_server_config": certificates.server.served}))
    done = run("check", *config, *good)
    assert (done.returncode, done.stderr) == (0, "")
    bad = tmp_path / "bad.yml"
    bad.write_text(BAD)
    done = run("check", "--format", "json", *config, "--web.config.file", str(bad))
    problems = [(problem["line"], problem["path"]) for problem in json.loads(done.stdout)["problems"]]
    assert (done.returncode, problems) == (2, [(line, path) for line, path, _ in PROBLEMS])
    missing = run("check", *config, "--web.config.file", str(tmp_path / "none.yml"))
    assert (missing.returncode, "none.yml" in missing.stderr) == (2, True)


def test_the_demo_serves_behind_a_web_configuration(certificates: Certificates, start: Start, tmp_path: Path) -> None:
    web = users() | {"tls_server_config": certificates.server.served}
    demo = start("demo", *ANY_PORTS, "--web.config.file", write_web(tmp_path, web))
    url = Exporter(demo).url
    trust = ("--cacert", str(certificates.authority.certificate))
    assert curl(f"{url}/metrics", *trust).status == 401
    assert curl(f"{url}/metrics", *trust, "--user", f"{USER}:{PASSWORD}").status == 200
