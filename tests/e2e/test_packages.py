"""Packages and the systemd unit, as far as they can be judged uninstalled; `make test-long` installs them."""

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from packages import MANUAL, NAME, UNIT, Packages, build, setting
from program import BINARY, ROOT, run

CONFIG = ROOT / "deploy/packages/config.yaml"
USER = f"{NAME}/{NAME}"

# What is installed, besides what is shared with everybody below /usr.
OWN = {
    f"/etc/{NAME}": ("drwxr-x---", f"root/{NAME}"),
    f"/etc/{NAME}/config.yaml": ("-rw-r-----", f"root/{NAME}"),
    f"/etc/{NAME}/environment": ("-rw-------", "root/root"),
    f"/var/lib/{NAME}": ("drwxr-x---", USER),
}
SHARED = {
    f"/usr/bin/{NAME}",
    f"/usr/lib/systemd/system/{NAME}.service",
    f"/usr/share/bash-completion/completions/{NAME}",
    f"/usr/share/fish/vendor_completions.d/{NAME}.fish",
    f"/usr/share/man/man1/{NAME}.1.gz",
    f"/usr/share/man/man1/{NAME}-check.1.gz",
    f"/usr/share/{NAME}/config.example.yaml",
    f"/usr/share/{NAME}/alerts.yaml",
    f"/usr/share/{NAME}/ram-policy.json",
    f"/usr/share/{NAME}/rules.yaml",
    f"/usr/share/{NAME}/alertmanager.yaml",
    *(f"/usr/share/{NAME}/dashboards/{board.name}" for board in (ROOT / "dashboards").glob("*.json")),
    f"/usr/share/doc/{NAME}/README.md",
    f"/usr/share/doc/{NAME}/CHANGELOG.md",
    f"/usr/share/doc/{NAME}/THIRD-PARTY-NOTICES",
}
OF_FORMAT = {
    "deb": {
        f"/usr/share/zsh/vendor-completions/_{NAME}",
        f"/usr/share/doc/{NAME}/copyright",
        f"/usr/share/doc/{NAME}/changelog.Debian.gz",
    },
    "rpm": {f"/usr/share/zsh/site-functions/_{NAME}", f"/usr/share/licenses/{NAME}/LICENSE"},
}

Files = dict[str, tuple[str, str]]


def output(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stands in for the exporter, which is large; `make test-long` packs and runs that."""
    standin = tmp_path_factory.mktemp("program") / NAME
    shutil.copy("/bin/true", standin)
    return standin


@pytest.fixture(scope="session")
def packages(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return build(program, tmp_path_factory.mktemp("packages"))


def of_deb(packages: Packages) -> Files:
    lines = (line.split(maxsplit=5) for line in output("dpkg-deb", "--contents", packages.deb).splitlines())
    return {path[1:].rstrip("/"): (mode, owner) for mode, owner, _, _, _, path in lines}


def of_rpm(packages: Packages) -> Files:
    query = r"[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\n]"
    lines = (line.split(maxsplit=2) for line in output("rpm", "-qp", "--qf", query, packages.rpm).splitlines())
    return {path.rstrip("/"): (mode, owner) for mode, owner, path in lines}


@pytest.mark.parametrize("file_format", ["deb", "rpm"])
def test_files_have_their_places_modes_and_owners(file_format: str, packages: Packages) -> None:
    files = {"deb": of_deb, "rpm": of_rpm}[file_format](packages)
    assert {path: files.get(path) for path in OWN} == OWN
    assert (SHARED | OF_FORMAT[file_format]) - files.keys() == set()
    others = {path: entry for path, entry in files.items() if path not in OWN and not path.startswith("/usr")}
    assert others.keys() <= {"", "/etc", "/var", "/var/lib"}, "nothing else is outside /usr"
    wanted = {"d": "drwxr-xr-x", "-": "-rw-r--r--"}
    for path, (mode, owner) in files.items():
        if path not in OWN:
            assert (mode, owner) == ("-rwxr-xr-x" if path == f"/usr/bin/{NAME}" else wanted[mode[0]], "root/root"), path


def test_what_the_user_edits_is_kept_by_upgrades(packages: Packages) -> None:
    edited = {f"/etc/{NAME}/config.yaml", f"/etc/{NAME}/environment"}
    assert set(output("dpkg-deb", "--info", packages.deb, "conffiles").split()) == edited
    flags = dict(
        line.split()
        for line in output("rpm", "-qp", "--qf", r"[%{FILENAMES} %{FILEFLAGS:fflags}x\n]", packages.rpm).splitlines()
    )
    assert {path for path, found in flags.items() if "c" in found} == edited
    assert {flags[path] for path in edited} == {"cnx"}, "config and noreplace"


def test_packages_say_what_they_are(packages: Packages) -> None:
    fields = dict(
        line.split(": ", 1) for line in output("dpkg-deb", "--field", packages.deb).splitlines() if ": " in line
    )
    version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert version
    assert (fields["Package"], fields["Version"], fields["Architecture"]) == (NAME, f"{version[1]}-1", "amd64")
    assert fields["Depends"] == "libc6 (>= 2.17), passwd"
    query = "%{NAME} %{VERSION} %{RELEASE} %{ARCH} %{LICENSE}"
    assert output("rpm", "-qp", "--qf", query, packages.rpm) == f"{NAME} {version[1]} 1 x86_64 Apache-2.0"
    requires = set(output("rpm", "-qp", "--requires", packages.rpm).splitlines())
    assert {"/usr/sbin/useradd", "libc.so.6(GLIBC_2.17)(64bit)"} <= requires


def test_the_archive_unpacks_into_one_folder_and_belongs_to_no_one(packages: Packages) -> None:
    with tarfile.open(packages.archive) as archive:
        members = archive.getmembers()
    root = packages.archive.name.removesuffix(".tar.gz")
    names = {member.name for member in members}
    assert {name.split("/")[0] for name in names} == {root}
    assert {(member.uid, member.gid, member.mtime) for member in members} == {(0, 0, members[0].mtime)}
    wanted = (
        "LICENSE",
        "THIRD-PARTY-NOTICES",
        "README.md",
        f"man/{NAME}.1",
        f"systemd/{NAME}.service",
        f"completions/_{NAME}",
    )
    assert {f"{root}/{name}" for name in (NAME, *wanted)} - names == set()


def test_the_same_program_makes_the_same_packages(program: Path, packages: Packages, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    moved.write_bytes(program.read_bytes())
    again = build(moved, tmp_path / "again", TZ="Asia/Shanghai", LC_ALL="C.UTF-8")
    assert (again.folder / "SHA256SUMS").read_text() == (packages.folder / "SHA256SUMS").read_text()
    checked = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=again.folder, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout.count(": OK")) == (0, 3), checked


def test_notices_hold_the_licence_of_everything_that_is_linked(packages: Packages) -> None:
    with tarfile.open(packages.archive) as archive:
        file = archive.extractfile(f"{packages.archive.name.removesuffix('.tar.gz')}/THIRD-PARTY-NOTICES")
        assert file
        notices = file.read().decode()
    for part in ("\nring ", "\ntokio ", "\nredb ", "Copyright (c) Tokio Contributors", "Mozilla Public License"):
        assert (part in notices) == (part != "Mozilla Public License"), part
    assert "\nproptest " not in notices, "tests are not linked"
    assert re.search(r"^ {4}None ", notices, re.MULTILINE) is None, "each has a licence"


def test_the_unit_is_hardened() -> None:
    told = output("systemd-analyze", "security", "--offline=true", "--no-pager", UNIT)
    level = re.search(r"exposure level for \S+: ([\d.]+) ", told)
    assert level
    assert float(level[1]) <= 1.5, told


def test_the_unit_is_sound(tmp_path: Path) -> None:
    """All that systemd has to say against it is that the program is not installed here."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(f"/usr/bin/{NAME}", str(BINARY)).replace("Documentation=", "#"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_configuration_is_not_tried_again(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("nonsense: 1\n")
    assert setting("RestartPreventExitStatus") == [str(run("--config.file", str(tmp_path / "config.yaml")).returncode)]


def test_the_packaged_configuration_lacks_only_targets(tmp_path: Path) -> None:
    text = CONFIG.read_text().replace(f"/var/lib/{NAME}", str(tmp_path))
    file = tmp_path / "config.yaml"
    file.write_text(text)
    told = run("check", "--config.file", str(file))
    assert (told.returncode, told.stderr.count("nothing to poll")) == (2, 1), told
    # All that is commented out can be used; words for people begin with one space.
    head, keys = text.split("\naccounts:")
    keys = re.sub(r"^( *)#(?=\S|  )", r"\1", keys, flags=re.MULTILINE).replace("      provider: default\n", "")
    for name in ("access-key-id", "access-key-secret"):
        (tmp_path / name).write_text("something")
    file.write_text(f"{head}\naccounts:{keys}".replace(f"/run/credentials/{NAME}.service", str(tmp_path)))
    told = run("check", "--config.file", str(file))
    assert (told.returncode, told.stderr) == (0, ""), told.stdout
    for word in ("ehpc-hz-FYUr32aaaa", "ace0706b2ac4454d984295a94213aaaa", "what discovery finds"):
        assert word in told.stdout, word


def test_the_key_reaches_the_service_as_the_configuration_says() -> None:
    loaded = [value.split(":") for value in setting("LoadCredential")]
    assert loaded == [[name, f"/etc/{NAME}/{name}"] for name in ("access-key-id", "access-key-secret")]
    assert [value.split(":")[0] for value in setting("SetCredential")] == [name for name, _ in loaded]
    for name, path in loaded:
        assert f"file:/run/credentials/{NAME}.service/{name}\n" in CONFIG.read_text()
        assert Path(path).parent == Path(f"/etc/{NAME}")


def test_the_manual_has_a_page_for_each_command() -> None:
    commands = set(
        re.findall(r"^  ([a-z]+) ", run("--help").stdout.split("Commands:")[1].split("Options:")[0], re.MULTILINE)
    )
    assert {"serve", "check", "doctor", "healthcheck", "demo"} <= commands
    pages = {path.name for path in (MANUAL / "man").iterdir()}
    assert {f"{NAME}-{command}.1" for command in commands - {"help"}} - pages == set()
    assert r"\-\-config.file" in (MANUAL / f"man/{NAME}.1").read_text()


def test_shells_complete_commands_and_flags() -> None:
    find = 'found=$(complete -p "$0"); found=${found##*-F }; found=${found%% *}'
    call = 'COMP_WORDS=("$0" "$1"); COMP_CWORD=1; "$found" "$0" "$1" "$0"; echo "${COMPREPLY[*]}"'
    script = f'source "{MANUAL}/completions/{NAME}.bash"; {find}; {call}'
    assert output("bash", "-c", script, NAME, "do").split() == ["doctor"]
    assert output("bash", "-c", script, NAME, "--web.l").split() == ["--web.listen-address"]


def test_the_crate_holds_all_that_its_sources_include() -> None:
    listed = set(
        output("cargo", "package", "--list", "--allow-dirty", "--manifest-path", ROOT / "Cargo.toml").splitlines()
    )
    missing = set()
    for source in (path for path in listed if path.endswith(".rs")):
        for named in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', (ROOT / source).read_text()):
            path = (ROOT / source).parent.joinpath(named).resolve().relative_to(ROOT)
            if str(path) not in listed:
                missing.add(f"{source}: {path}")
    assert missing == set()
    assert {"README.md", "LICENSE", "CHANGELOG.md", "config.example.yaml", "src/web/page.css"} - listed == set()
