"""Tables without a key: any number of rows, of which exact copies are one."""

import random
from collections.abc import Callable
from datetime import date, datetime
from itertools import cycle, product
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.io.datasets import Dataset, read
from churnlib.raw import batches, external_sort
from churnlib.raw.external_sort import Workspace
from churnlib.raw.prepare import prepare_clean, prepare_valid
from churnlib.raw.validator import Validator
from churnlib.settings import RawSettings
from tests.churnlib.raw.declared import LOGINS
from tests.churnlib.raw.samples import AMPLE, FORMATS, READERS, prepare, write
from tests.variants import slow_but

VALUES: dict[str, list[Any]] = {
    "at": [datetime(2024, 5, 6, 7), datetime(2024, 5, 6, 7, 0, 0, 1), datetime(2023, 1, 1)],
    "day": [None, date(2024, 5, 1), date(2024, 4, 1)],
    "minutes": [None, 0.0, -1.5, 1e300, 12.5],
    "platform": [None, "pc", "Pc", "ä"],
    "paid": [None, False, True],
}
"""The values of columns, of which every kind is among those that order the rows."""


def events() -> pl.DataFrame:
    """Distinct rows in the order of the table, some of which differ in one column only."""
    chosen = random.Random(4).sample(list(product(*VALUES.values())), 90)
    rows = [(n % 7, *row) for n, row in enumerate(chosen)]
    rows += [
        (9, *row) for row in product(*([v[0]] if n != "paid" else v for n, v in VALUES.items()))
    ]
    frame = pl.DataFrame(rows, schema=LOGINS.types, orient="row").unique()
    return frame.sort(LOGINS.order, nulls_last=False)


ORDERS: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "sorted": lambda rows: rows,
    "reversed": lambda rows: rows.reverse(),
    "shuffled": lambda rows: rows.sample(fraction=1, shuffle=True, seed=5),
    "by_time": lambda rows: rows.sort("at", "paid", descending=True),
    "last_rows_late": lambda rows: pl.concat([rows[:5], rows[8:], rows[5:8]]),
    "last_row_early": lambda rows: pl.concat([rows[:3], rows[-1:], rows[3:-1]]),
}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches, blocks and row groups."""
    monkeypatch.setattr(batches, "BATCH", 20)
    monkeypatch.setattr(external_sort, "BLOCK", 7)
    monkeypatch.setattr("churnlib.io.table_writer.ROWS_PER_GROUP", 16)


@pytest.mark.parametrize("order", slow_but("last_rows_late", of=ORDERS))
@pytest.mark.parametrize("memory", [0, AMPLE])
def test_any_order_format_reader_and_memory_give_the_same_bytes(
    order: str, memory: int, tmp_path: Path
) -> None:
    expected = events()
    reference = prepare(write(tmp_path, "logins", expected), LOGINS, "clean").fingerprint
    for form, reader in product(FORMATS, READERS):
        source = write(tmp_path, "logins", ORDERS[order](expected), form)
        prepared = prepare(source, LOGINS, reader, memory=memory)
        assert read(prepared).equals(expected)
        assert prepared.fingerprint == reference


@pytest.mark.parametrize("order", slow_but("shuffled", of=ORDERS))
def test_exact_copies_are_left_out_and_counted(order: str, tmp_path: Path) -> None:
    rows = events()
    copied = pl.concat([rows, rows[3:40], rows[:5], rows[3:4]])
    zeros = pl.col("minutes").replace(0.0, -0.0)
    copied = pl.concat([copied[:60], copied[60:].with_columns(zeros)])
    assert str(copied["minutes"].to_list()).count("-0.0") > 0
    output = Dataset("logins", "hawk", str(tmp_path / "checked.parquet"))
    bytes_of = set()
    for (form, reader), memory in zip(product(FORMATS, READERS), cycle([0, AMPLE]), strict=False):
        source = write(tmp_path, "logins", ORDERS[order](copied), form)
        space = Workspace(memory, tmp_path)
        if reader == "clean":
            prepared = prepare_clean(source, LOGINS, None, output, space)
        else:
            validator = Validator(LOGINS, RawSettings())
            prepared = prepare_valid(source, validator, None, output, space)
        assert prepared.copies.total == 37 + 5 + 1
        assert sum(count for _, count in prepared.copies.by_day) == 43
        assert read(output).equals(rows)
        bytes_of.add(prepared.table.fingerprint)
    assert len(bytes_of) == 1


def test_rows_of_later_days_are_kept_and_quarantined_rows_are_not(tmp_path: Path) -> None:
    rows = events()
    spoilt = rows.with_columns(pl.col("minutes").cast(pl.String))
    spoilt = spoilt.with_columns(
        minutes=pl.when(pl.int_range(pl.len()).is_in([4, 50]))
        .then(pl.lit("x"))
        .otherwise("minutes")
    )
    source = write(tmp_path, "logins", spoilt)
    settings = RawSettings(on_bad_rows="quarantine", max_bad_share=0.5)
    validator = Validator(LOGINS, settings, date(2023, 6, 1))
    output = Dataset("logins", "hawk", str(tmp_path / "checked.parquet"))
    prepare_valid(source, validator, None, output, Workspace(0, tmp_path))
    expected = rows.filter(~pl.int_range(pl.len()).is_in([4, 50]))
    assert read(output).equals(expected)
