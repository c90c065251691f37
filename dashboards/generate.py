"""Writes the dashboards: `python3 generate.py` in this folder, or `make dashboards`."""

import json
from pathlib import Path

from boards import cluster, commands, exporter, fleet, servers
from grafana.board import Board

FOLDER = Path(__file__).resolve().parent


def boards() -> dict[str, Board]:
    """Each dashboard, by the name of its file."""
    return {
        "fleet": fleet.board(),
        "cluster": cluster.board(),
        "commands": commands.board(),
        "servers": servers.board(),
        "exporter": exporter.board(),
    }


def texts() -> dict[Path, str]:
    """The text of each file."""
    return {
        FOLDER / f"{name}.json": json.dumps(board.json(), indent=2, ensure_ascii=False) + "\n"
        for name, board in boards().items()
    }


def main() -> None:
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
