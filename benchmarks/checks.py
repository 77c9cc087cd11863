"""Checks that the ways of the growth benchmark have the same results.

If they had not, a comparison of their costs would make no sense.
"""

from collections.abc import Iterable
from pathlib import Path

from benchmarks.process import run
from benchmarks.ways import FEATURES, Way
from churnlib.io.storage import fingerprint

REFERENCE = "engine: preparation"
"""The way whose tables those from other inputs must equal."""


def same_tables(folder: Path, game: str, finished: Iterable[Way]) -> list[str]:
    """Compares the prepared tables of each input with those of the sorted CSV, by their bytes.

    Args:
        folder: The folder of the data folders.
        game: The game.
        finished: The ways that have finished.

    Returns:
        The names of the preparations, all of which left the same bytes.

    Raises:
        SystemExit: A table differs.
    """
    tables = {
        way.name: digests(folder / way.data / "02_intermediate" / game)
        for way in finished
        if way.name.startswith(REFERENCE)
    }
    for name, digest in tables.items():
        if not digest or digest != tables[REFERENCE]:
            raise SystemExit(f"{name}: other bytes than `{REFERENCE}`:\n{digest}\n{tables}")
    return [*tables]


def digests(folder: Path) -> dict[str, str]:
    """The fingerprint of each Parquet file in a folder."""
    return {path.name: fingerprint(str(path)) for path in sorted(folder.glob("*.parquet"))}


def same_features(folder: Path, game: str, finished: Iterable[Way]) -> list[str]:
    """Compares the features of the other libraries with the engine's, by `benchmarks.compare`.

    Args:
        folder: The folder of the data folders.
        game: The game.
        finished: The ways that have finished.

    Returns:
        The names of the ways whose features are the same; none if the engine did not run.

    Raises:
        SystemExit: A result differs.
    """
    engine = folder / FEATURES.format(game=game)
    compared = [(way.name, way.features) for way in finished if way.features and engine.exists()]
    for name, features in compared:
        ended = run("-m", "benchmarks.compare", str(engine), str(folder / features), home=folder)
        if ended.status:
            raise SystemExit(f"{name} differs:\n{ended.output}{ended.errors}")
    return [name for name, _ in compared]
