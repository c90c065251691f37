"""The licences of everything that a program for TARGET is linked from, with their notices: `notices.py TARGET`."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

HEAD = """\
aliyun-task-exporter is licensed under the Apache License, version 2.0; see LICENSE. It is linked from the packages
below, and from the standard library of Rust (MIT OR Apache-2.0, copyright The Rust Project Contributors). Under the
name of each package is its licence; the texts that came with the packages follow.
"""
TEXTS = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")


def metadata(target: str) -> Any:
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def linked(graph: Any) -> list[Any]:
    """The packages that the program depends on, neither to build nor to test it."""
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    found: set[str] = set()
    ahead = [graph["resolve"]["root"]]
    while ahead:
        for dependency in nodes[ahead.pop()]["deps"]:
            is_normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if is_normal and dependency["pkg"] not in found:
                found.add(dependency["pkg"])
                ahead.append(dependency["pkg"])
    packages = (package for package in graph["packages"] if package["id"] in found)
    return sorted(packages, key=lambda package: (package["name"], package["version"]))


def texts(package: Any) -> list[str]:
    """What a package says about its licence, file by file."""
    folder = Path(package["manifest_path"]).parent
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name.upper().startswith(TEXTS))
    return [file.read_text(errors="replace").strip() for file in files]


def main() -> None:
    packages = linked(metadata(sys.argv[1]))
    names_of = defaultdict(list)
    # Texts that differ only in their line breaks are one.
    text_of: dict[str, str] = {}
    out = [HEAD]
    for package in packages:
        name = f"{package['name']} {package['version']}"
        origin = package["repository"] or package["homepage"] or ""
        out.append(f"{name}\n    {package['license']}   {origin}")
        for text in texts(package):
            words = " ".join(text.split())
            text_of.setdefault(words, text)
            names_of[words].append(name)
    for words, names in names_of.items():
        out.append(f"\n{'=' * 80}\n{', '.join(names)}\n{'=' * 80}\n\n{text_of[words]}")
    sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
