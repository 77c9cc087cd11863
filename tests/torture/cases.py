"""The commands that are killed, each from the state in which it has the most to do."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from churnlib.io.catalog import Catalog
from churnlib.synthesis import PROCESSES, generate
from churnlib.versions.folder import list_versions
from tests.flows.studio import BATCH_DAY
from tests.torture.place import GAME, Place

CHARACTERS = 300
OTHER = "--set=features.character_currency.lookback_months=6"
RAW = "raw"
"""The state with the raw tables and Prefect's database."""


@dataclass(frozen=True)
class Case:
    """A command to kill.

    Attributes:
        name: What it is called.
        state: The state that it starts from.
        line: Makes its command line, from the place.
    """

    name: str
    state: str
    line: Callable[[Place], tuple[str, ...]]


def command(*words: str) -> Callable[[Place], tuple[str, ...]]:
    """A command line that depends on nothing."""
    return lambda _: (words[0], "--game", GAME, *words[1:])


def promotion(place: Place) -> tuple[str, ...]:
    """The promotion of the newest version."""
    newest = list_versions(Catalog(str(place.data), GAME))[0]
    return ("promote", "--game", GAME, "--version", newest, "--force")


CASES = (
    Case("first run ever", "empty", command("train", "--from-raw")),
    Case("train", RAW, command("train", "--from-raw")),
    Case("train another", "done", command("train", OTHER)),
    Case("score", "candidate", command("score")),
    Case("batch-predict", "scored", command("batch-predict")),
    Case("batch-score", "predicted", command("batch-score", "--from-raw")),
    Case("promote", "candidate", promotion),
    Case(
        "backfill",
        "scored",
        command("backfill", "--flow", "batch-predict", "--from", "2024-05", "--to", "2024-06"),
    ),
)
STEPS = {
    RAW: ("standard-features",),
    "done": ("train", "--from-raw"),
    "candidate": ("train", "--set=train.seed=7"),
    "scored": ("score",),
    "predicted": ("batch-predict", "--as-of", BATCH_DAY),
}
"""What makes each state of the one before."""


def prepare(place: Place, cases: tuple[Case, ...]) -> None:
    """Makes and keeps the states of some cases."""
    generate(PROCESSES[GAME], CHARACTERS, 1, place.data / "01_raw" / GAME)
    needed = {case.state for case in cases}
    place.keep("empty")
    for state, line in STEPS.items():
        if not needed & set(list(STEPS)[list(STEPS).index(state) :]):
            break
        status = place.run((line[0], "--game", GAME, *line[1:]))
        assert status == 0, place.log
        if state == RAW:  # Only the database was wanted.
            for path in (*place.data.glob("0[2-8]_*"), *(place.folder / "results").iterdir()):
                remove(path)
        place.keep(state)


def remove(path: Path) -> None:
    """Removes a file or a folder."""
    import shutil

    shutil.rmtree(path) if path.is_dir() else path.unlink()
