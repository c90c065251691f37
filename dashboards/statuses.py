"""What each status means and its colour, the same on every dashboard and as in the alerts."""

from enum import Enum

from grafana.model import Json


class Meaning(Enum):
    """What a status says about the work."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    # A user wanted it: no failure, though the work is not done.
    STOPPED = "stopped"
    UNKNOWN = "unknown"


# A hue for each meaning, a shade for each word; the position is the number of a status in state timelines.
_TABLE: list[tuple[str, Meaning, str]] = [
    ("Success", Meaning.DONE, "green"),
    ("Finished", Meaning.DONE, "green"),
    ("Processing", Meaning.OPEN, "blue"),
    ("Running", Meaning.OPEN, "blue"),
    ("Pending", Meaning.OPEN, "light-blue"),
    ("Scheduled", Meaning.OPEN, "light-blue"),
    ("Stopping", Meaning.OPEN, "super-light-blue"),
    ("Failed", Meaning.FAILED, "red"),
    ("PartialFail", Meaning.FAILED, "semi-dark-red"),
    ("PartialFailed", Meaning.FAILED, "semi-dark-red"),
    ("Error", Meaning.FAILED, "dark-red"),
    ("Timeout", Meaning.FAILED, "dark-red"),
    ("Aborted", Meaning.FAILED, "semi-dark-red"),
    ("Invalid", Meaning.FAILED, "light-red"),
    ("Stopped", Meaning.STOPPED, "yellow"),
    ("Terminated", Meaning.STOPPED, "yellow"),
    ("Cancelled", Meaning.STOPPED, "light-yellow"),
    ("unknown", Meaning.UNKNOWN, "purple"),
]

# The statuses of each kind of thing.
TASK = ("Processing", "Success", "Failed", "PartialFail", "unknown")
COMMAND = tuple(word for word, _, _ in _TABLE if word not in ("Processing", "PartialFail"))
INVOCATION = tuple(word for word in COMMAND if word not in ("Finished", "Scheduled"))

# A command that the cloud calls Finished, and whose exit code says that it failed.
FINISHED_FAILED = "Finished, failed"

COLORS = {word: color for word, _, color in _TABLE}
# What clusters and servers themselves are; a word that work has, too, keeps its colour.
RESOURCES = {word: COLORS[word] for word in ("Pending", "Running", "Stopping", "Stopped", "unknown")} | {
    "running": COLORS["Running"],
    "uninit": "light-blue",
    "creating": "light-blue",
    "init": "light-blue",
    "Starting": "light-blue",
    "Resetting": "super-light-blue",
    "Upgrading": "super-light-blue",
    "releasing": "light-yellow",
    "Disabled": "red",
    "exception": "red",
}
# The same for a meaning as a whole.
OUTCOMES = {"succeeded": "green", "failed": "red", "stopped": "yellow"}


def colors(kind: tuple[str, ...]) -> dict[str, str]:
    return {word: color for word, color in COLORS.items() if word in kind}


def words(kind: tuple[str, ...], *meanings: Meaning) -> str:
    """The statuses of these meanings, as a regular expression."""
    return "|".join(word for word, meaning, _ in _TABLE if word in kind and meaning in meanings)


def by_word() -> Json:
    """Colours of a status that is a text."""
    options = {word: _shown(word, index) for index, (word, _, _) in enumerate(_TABLE)}
    failed = {"text": FINISHED_FAILED, "color": COLORS["Failed"], "index": len(options)}
    return {"type": "value", "options": options | {FINISHED_FAILED: failed}}


def by_number() -> Json:
    """Texts and colours of a status that is its number."""
    return {"type": "value", "options": {str(number(word)): _shown(word, number(word)) for word, _, _ in _TABLE}}


def number(word: str) -> int:
    """The number of a status in state timelines."""
    return next(index for index, (known, _, _) in enumerate(_TABLE, 1) if known == word)


def _shown(word: str, index: int) -> Json:
    return {"text": word, "color": COLORS[word], "index": index}
