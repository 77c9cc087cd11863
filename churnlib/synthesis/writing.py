"""Simulation chunk by chunk, each written before the next."""

from collections.abc import Mapping
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
from churnlib.synthesis.daily import tables as daily
from churnlib.synthesis.daily.process import DailyProcess
from churnlib.synthesis.daily.world import DailySimulation
from churnlib.synthesis.frames import MONTH_TRUTH, TRUTH
from churnlib.synthesis.monthly.worlds import MonthlyDailySimulation, MonthlySimulation
from churnlib.synthesis.process import ChurnProcess, Process
from churnlib.synthesis.tables import NAMES, tables
from churnlib.synthesis.world import Simulation

CHUNK, DAILY_CHUNK = 50_000, 20_000
"""The number of characters in a chunk, and of a daily process. The data depend on them."""
PARQUET_FROM = 100_000
"""The number of characters from which the raw tables are Parquet by default."""
TIME = "%Y-%m-%d %H:%M:%S"
"""How CSV files write times."""

Format = Literal["csv", "parquet"]


@dataclass(frozen=True, slots=True)
class Generated:
    """The files that were written.

    Attributes:
        files: The file of each table, or of each part of one, including `sub_truth`.
        rows: The number of rows of each.
    """

    files: dict[str, Path]
    rows: dict[str, int]


def generate(
    process: ChurnProcess,
    characters: int,
    seed: int,
    out: str | Path,
    *,
    signal: float = 1.0,
    file_format: Format | None = None,
) -> Generated:
    """Writes the raw tables of a game, and separately the true probabilities.

    The same arguments give the same bytes. Each chunk of characters has its own seed, so a full
    chunk does not depend on the number of characters. Raw tables in the folder are replaced, in
    either format.

    Args:
        process: The game's process.
        characters: The number of characters, at least 1.
        seed: The random seed, 0 or more.
        out: The folder for the raw tables; the true probabilities are in its
            `truth/sub_truth.parquet`.
        signal: How strongly churn depends on the features, from 0 (not at all) to 1.
        file_format: `csv` or `parquet`; by default Parquet for `PARQUET_FROM` characters or more.
            The files of a daily process have formats of their own.

    Raises:
        DataError: An argument is out of range, or the folder cannot be written.
    """
    _check(characters, seed, signal, file_format)
    suffixes = _suffixes(process, characters, file_format)
    folder = Path(out)
    files = {name: folder / f"{name}{suffix}" for name, suffix in suffixes.items()}
    for name in (TRUTH, MONTH_TRUTH) if process.payments else (TRUTH,):
        files[name] = folder / "truth" / f"{name}.parquet"
    try:
        rows = _write(process, characters, seed, signal, files)
        for name, suffix in suffixes.items():
            for other in {*RAW_SUFFIXES} - {suffix}:
                (folder / f"{name}{other}").unlink(missing_ok=True)
        if not process.payments:
            (folder / "truth" / f"{MONTH_TRUTH}.parquet").unlink(missing_ok=True)
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


def _suffixes(process: ChurnProcess, characters: int, file_format: str | None) -> Mapping[str, str]:
    if not isinstance(process, DailyProcess):
        suffix = file_format or ("parquet" if characters >= PARQUET_FROM else "csv")
        return dict.fromkeys(NAMES, f".{suffix}")
    if file_format is not None:
        raise DataError(
            f"file_format is {file_format!r}, but {process.game} has files of both formats, which "
            "its settings name. Leave it out."
        )
    return daily.FILES


def _write(
    process: ChurnProcess, characters: int, seed: int, signal: float, files: dict[str, Path]
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
            step = DAILY_CHUNK if isinstance(process, DailyProcess) else CHUNK
            for chunk, first in enumerate(range(0, characters, step)):
                size, rng = min(step, characters - first), _rng(process, seed, chunk)
                for table, frame in _simulate(process, size, signal, rng, 1 + first).items():
                    writers[table].write(frame)
                    rows[table] += frame.height
    return rows


def _simulate(
    process: ChurnProcess, characters: int, signal: float, rng: np.random.Generator, first_id: int
) -> dict[str, pl.DataFrame]:
    if isinstance(process, DailyProcess):
        days = MonthlyDailySimulation if process.payments else DailySimulation
        world = days(process, characters, signal, rng).run()
        return daily.daily_tables(process, world, first_id, rng)
    assert isinstance(process, Process)
    months = MonthlySimulation if process.payments else Simulation
    return tables(process, months(process, characters, signal, rng).run(), first_id)


def _rng(process: ChurnProcess, seed: int, chunk: int) -> np.random.Generator:
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
            times = [name for name, kind in frame.schema.items() if kind == pl.Datetime]
            self.writer = pq.ParquetWriter(
                self.path,
                data.schema,
                compression="zstd",
                # Times hardly repeat, but their bytes do: a third smaller than by a dictionary.
                use_dictionary=[name for name in frame.columns if name not in times],
                column_encoding=dict.fromkeys(times, "BYTE_STREAM_SPLIT"),
            )
        self.writer.write_table(data, row_group_size=ROWS_PER_GROUP)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


class _Csv:
    """Appends frames to a CSV file, after a header."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")

    def write(self, frame: pl.DataFrame) -> None:
        frame.write_csv(
            self.file, include_header=self.file.tell() == 0, float_precision=2, datetime_format=TIME
        )

    def close(self) -> None:
        self.file.close()
