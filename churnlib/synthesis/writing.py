"""Simulation chunk by chunk, each written before the next."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from churnlib.errors import DataError
from churnlib.io.datasets import ROWS_PER_GROUP
from churnlib.io.raw_files import RAW_SUFFIXES
from churnlib.io.storage import replacing
from churnlib.synthesis.process import Process
from churnlib.synthesis.tables import tables
from churnlib.synthesis.world import Simulation

CHUNK = 50_000
"""The number of characters in a chunk. The data depend on it."""
PARQUET_FROM = 100_000
"""The number of characters from which the raw tables are Parquet by default."""
TRUTH = "sub_truth"

Format = Literal["csv", "parquet"]
TABLES = ("character_data", "character_currency", "sub_data", "sub_miss")
"""The raw tables that are written."""


@dataclass(frozen=True, slots=True)
class Generated:
    """The files that were written.

    Attributes:
        files: The file of each table, including `sub_truth`.
        rows: The number of rows of each table.
    """

    files: dict[str, Path]
    rows: dict[str, int]


def generate(
    process: Process,
    characters: int,
    seed: int,
    out: str | Path,
    *,
    signal: float = 1.0,
    file_format: Format | None = None,
) -> Generated:
    """Writes the four raw tables of a game, and separately the true probabilities.

    The same arguments give the same bytes. Each chunk of `CHUNK` characters has its own seed, so a
    full chunk does not depend on the number of characters. Raw tables in the folder are replaced,
    in either format.

    Args:
        process: The game's process.
        characters: The number of characters, at least 1.
        seed: The random seed, 0 or more.
        out: The folder for the raw tables; the true probabilities are in its
            `truth/sub_truth.parquet`.
        signal: How strongly churn depends on the features, from 0 (not at all) to 1.
        file_format: `csv` or `parquet`; by default Parquet for `PARQUET_FROM` characters or more.

    Raises:
        DataError: An argument is out of range, or the folder cannot be written.
    """
    _check(characters, seed, signal, file_format)
    suffix = file_format or ("parquet" if characters >= PARQUET_FROM else "csv")
    folder = Path(out)
    files = {table: folder / f"{table}.{suffix}" for table in TABLES}
    files[TRUTH] = folder / "truth" / f"{TRUTH}.parquet"
    try:
        rows = _write(process, characters, seed, signal, files)
        for table in TABLES:
            for other in {*RAW_SUFFIXES} - {f".{suffix}"}:
                (folder / f"{table}{other}").unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror or error}).") from error
    return Generated(files, rows)


def _check(characters: int, seed: int, signal: float, file_format: str | None) -> None:
    if characters < 1:
        raise DataError(f"characters is {characters}; it must be at least 1.")
    if seed < 0:
        raise DataError(f"seed is {seed}; it must be 0 or more.")
    if not 0 <= signal <= 1:
        raise DataError(f"signal is {signal}; it must be between 0 and 1.")
    if file_format not in (None, "csv", "parquet"):
        raise DataError(f"file_format is {file_format!r}; it must be 'csv' or 'parquet'.")


def _write(
    process: Process, characters: int, seed: int, signal: float, files: dict[str, Path]
) -> dict[str, int]:
    rows = dict.fromkeys(files, 0)
    # The inner stack closes the writers before the outer one moves the files.
    with ExitStack() as places:
        beside = {table: places.enter_context(replacing(path)) for table, path in files.items()}
        with ExitStack() as closing:
            writers: dict[str, _Csv | _Parquet] = {}
            for table, path in files.items():
                kind = _Parquet if path.suffix == ".parquet" else _Csv
                writers[table] = kind(beside[table])
                closing.callback(writers[table].close)
            for chunk, first in enumerate(range(0, characters, CHUNK)):
                size = min(CHUNK, characters - first)
                world = Simulation(process, size, signal, _rng(process, seed, chunk)).run()
                for table, frame in tables(process, world, 1 + first).items():
                    writers[table].write(frame)
                    rows[table] += frame.height
    return rows


def _rng(process: Process, seed: int, chunk: int) -> np.random.Generator:
    game = int.from_bytes(process.game.encode(), "big")
    return np.random.default_rng(np.random.SeedSequence([seed, game], spawn_key=(chunk,)))


class _Parquet:
    """Appends frames to a Parquet file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: Any = None

    def write(self, frame: pl.DataFrame) -> None:
        data = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.path, data.schema, compression="zstd")
        self.writer.write_table(data, row_group_size=ROWS_PER_GROUP)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


class _Csv:
    """Appends frames to a CSV file, after a header."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")

    def write(self, frame: pl.DataFrame) -> None:
        frame.write_csv(self.file, include_header=self.file.tell() == 0, float_precision=2)

    def close(self) -> None:
        self.file.close()
