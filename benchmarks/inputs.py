"""Generates the raw tables of a size, as CSV and as Parquet, and as CSV in other orders.

`python -m benchmarks.inputs FOLDER GAME CHARACTERS --orders ORDER ...` writes them to `FOLDER/csv`,
`FOLDER/parquet` and `FOLDER/ORDER`, which are data folders. Prints the rows of each table as JSON.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from churnlib.synthesis import STANDARD, generate
from churnlib.synthesis.tables import NAMES

SEED = 1
PART = 20_000_000
"""The number of rows that are shuffled in memory at a time."""


def main() -> int:
    """Generates, and prints the number of rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("game", choices=[*STANDARD])
    parser.add_argument("characters", type=int)
    parser.add_argument("--orders", nargs="*", choices=ORDERS, default=())
    args = parser.parse_args()
    process = STANDARD[args.game]
    for file_format in ("csv", "parquet"):
        out = args.folder / file_format / "01_raw" / args.game
        generated = generate(process, args.characters, SEED, out, file_format=file_format)
    for order in args.orders:
        target = args.folder / order / "01_raw" / args.game
        target.mkdir(parents=True)
        for table in NAMES:
            rows = pl.scan_parquet(out / f"{table}.parquet")
            write_csv(ORDERS[order](rows), target / f"{table}.csv")
    print(json.dumps(generated.rows))
    return 0


def late(rows: pl.LazyFrame) -> Iterator[pl.LazyFrame]:
    """Yields the rows of a table with those of the last month of currency at the end."""
    if "date" not in rows.collect_schema():
        yield rows
        return
    is_late = pl.col("date") == rows.select(pl.col("date").max()).collect().item()
    yield rows.filter(~is_late)
    yield rows.filter(is_late)


def shuffled(rows: pl.LazyFrame) -> Iterator[pl.LazyFrame]:
    """Yields the rows of a table in random order, in parts that fit into memory."""
    parts = -(-rows.select(pl.len()).collect().item() // PART)
    part = pl.col("_row").hash(SEED) % parts
    for number in range(parts):
        drawn = (
            rows.with_row_index("_row")
            .filter(part == number)
            .drop("_row")
            .collect(engine="streaming")
        )
        yield drawn.sample(fraction=1, shuffle=True, seed=SEED).lazy()


ORDERS = {"late": late, "shuffled": shuffled}
"""What yields the rows of a table in each order."""


def write_csv(parts: Iterator[pl.LazyFrame], file: Path) -> None:
    """Writes parts of a table to one CSV file, as sample data are written."""
    with file.open("wb") as stream:
        for rows in parts:
            is_first = stream.tell() == 0
            rows.sink_csv(stream, include_header=is_first, float_precision=2)


if __name__ == "__main__":
    sys.exit(main())
