"""A data folder, ways to run flows on it, and to see what a run did."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl

from flows.cli.main import main
from tests.base import raw_tables

ROOT = Path(__file__).resolve().parents[2]
"""The folder of the project."""

FAST = {
    "game1": {"train.pipeline.model.params.max_iter": 20},
    "game2": {"train.pipeline.model.params.n_estimators": 20},
    "own": {"train.pipeline.model.params.max_iter": 20},
}
"""Settings that give small models."""

BATCH_DAY = "2024-07-01"
"""The day of the batch that `batch-score` scores on the last day of the data."""

LAST_DAY = "2025-01-01"
"""The last day of the data, which is the default day of a run."""

Say = Callable[..., str]
"""Runs a command line in a studio; returns its exit status, its log and its standard error."""

Snapshot = dict[str, tuple[int, str]]
"""The time of the last change and the digest of each file."""


@dataclass(frozen=True)
class Studio:
    """A data folder of its own.

    Attributes:
        data: The folder.
        pristine: A data folder with the unchanged raw tables.
    """

    data: Path
    pristine: Path

    def run(
        self, flow: str, game: str, overrides: Mapping[str, Any] | None = None, **more: Any
    ) -> Any:
        """Calls a flow in this process, with settings for a small model."""
        function = getattr(import_module(f"flows.{flow.removesuffix('_from_raw')}"), flow)
        settings = FAST.get(game, {}) | dict(overrides or {})
        return function(game=game, data_dir=str(self.data), overrides=settings, **more)

    def arguments(self, game: str, *more: str) -> list[str]:
        """The arguments of a command line, with settings for a small model."""
        settings = [f"--set={path}={value}" for path, value in FAST.get(game, {}).items()]
        return ["--game", game, "--data-dir", str(self.data), *settings, *more]

    def command(self, flow: str, game: str, *more: str) -> int:
        """Runs a command line in this process; returns the exit status."""
        return main([flow, *self.arguments(game, *more)])

    def take_through(self, game: str) -> None:
        """Runs every flow of a game, each after those that it needs."""
        self.run("train_from_raw", game)
        self.run("score_from_raw", game)
        self.run("batch_predict", game, as_of=BATCH_DAY)
        self.run("batch_predict", game)
        self.run("batch_score_from_raw", game)

    def file(self, path: str) -> Path:
        """The only file that matches a pattern."""
        (file,) = self.data.glob(path)
        return file

    def json(self, path: str) -> Any:
        """Reads a JSON file."""
        return json.loads(self.file(path).read_text(encoding="utf-8"))

    def table(self, path: str) -> pl.DataFrame:
        """Reads a Parquet file."""
        return pl.read_parquet(self.file(path))

    def raw(self, game: str, table: str) -> pl.DataFrame:
        """Reads a raw table as text."""
        return pl.read_csv(self.data / "01_raw" / game / f"{table}.csv", infer_schema=False)

    def write_raw(self, game: str, table: str, rows: pl.DataFrame) -> None:
        """Replaces a raw table."""
        rows.write_csv(self.data / "01_raw" / game / f"{table}.csv")

    def restore(self) -> None:
        """Restores the raw tables."""
        for file in self.pristine.glob("01_raw/*/*.csv"):
            target = self.data / file.relative_to(self.pristine)
            if not target.exists() or target.read_bytes() != file.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)

    def snapshot(self, pattern: str = "*/**") -> Snapshot:
        """Records the time of the last change and the digest of the files in some folders."""
        files = (f for folder in self.data.glob(pattern) for f in folder.rglob("*"))
        return {
            str(file.relative_to(self.data)): (
                file.stat().st_mtime_ns,
                hashlib.sha256(file.read_bytes()).hexdigest(),
            )
            for file in files
            if file.is_file()
        }

    def outputs(self) -> Snapshot:
        """Records all files except the raw tables."""
        return self.snapshot("0[2-8]_*")


def new_studio(data: Path, pristine: Path) -> Studio:
    """Creates a data folder with nothing but the raw tables."""
    studio = Studio(data, pristine)
    studio.restore()
    assert len(list(data.glob("01_raw/*/*"))) == 2 * len(raw_tables())
    return studio


def python(
    *arguments: str, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs Python in a process of its own, to its end."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def writes(log: str) -> Counter[str]:
    """Counts how often a log says that a dataset was written, not taken from the cache."""
    return Counter(re.findall(r"(\w+): (?:[\d,]+ rows in )?[\d.]+ s -> /", log))


def written(log: str) -> set[str]:
    """Returns the datasets that a log says were written, not taken from the cache."""
    return set(writes(log))


def bits(frame: pl.DataFrame) -> str:
    """Names, types and rows of a table as text, equal only if every bit is."""
    return repr((frame.schema, frame.rows()))


def is_refusal(output: str, message: str) -> bool:
    """Returns whether a run ended with status 2, one message and no traceback."""
    return (
        output.startswith("exit 2\n") and output.count(message) == 1 and "Traceback" not in output
    )
