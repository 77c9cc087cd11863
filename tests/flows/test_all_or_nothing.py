"""A run that is refused for one of its tables leaves those of earlier runs, and all else."""

from collections.abc import Iterator
from datetime import date

import polars as pl
import pytest

from flows import COMPOSITES
from tests.base import raw_tables
from tests.flows.studio import Say, Studio, is_refusal, written
from tests.variants import slow_but

GAME = "game1"


@pytest.fixture(autouse=True)
def _mend(complete: Studio) -> Iterator[None]:
    yield
    complete.restore()


def with_copy(studio: Studio, table: str, *changes: pl.Expr) -> None:
    """Appends a copy of the first row of a raw table, with changes."""
    rows = studio.raw(GAME, table)
    studio.write_raw(GAME, table, pl.concat([rows, rows.head(1).with_columns(*changes)]))


@pytest.mark.parametrize("flow", slow_but(COMPOSITES[0], of=COMPOSITES))
def test_composite_with_a_fault_in_its_last_table_changes_nothing(
    complete: Studio, say: Say, flow: str
) -> None:
    quarantine = ("--set=raw.on_bad_rows=quarantine",)
    with_copy(complete, "sub_data", pl.lit("free").alias("price"), pl.lit("987").alias("sub_id"))
    assert complete.command("standard_features", GAME, *quarantine) == 0
    complete.restore()
    assert complete.file(f"02_intermediate/{GAME}/sub_data_rejected.parquet")
    before = complete.outputs()
    characters, currency, subs, misses = raw_tables()
    new = pl.lit("987654").alias("char_id")
    with_copy(complete, characters, new)
    with_copy(complete, currency, new)
    with_copy(complete, subs, pl.lit("987").alias("sub_id"))
    with_copy(complete, misses, pl.lit("2024-13-01").alias("start_date"))
    output = say(complete, flow, GAME, "--from-raw")
    assert is_refusal(output, "start_date must be a date such as 2024-12-31: 1 row"), output
    assert complete.outputs() == before


@pytest.mark.slow
def test_training_that_is_refused_for_its_window_leaves_what_standard_features_builds(
    complete: Studio, say: Say
) -> None:
    later = "0[5-8]_*"
    before, features = complete.snapshot(later), complete.snapshot("03_*")
    with_copy(complete, "sub_data", pl.lit("987").alias("sub_id"))
    window = ("--set=windows.train.start=-15", "--set=windows.train.end=-14")
    output = say(complete, "train", GAME, "--from-raw", *window, "--set=horizon_months=1")
    assert is_refusal(output, "a model cannot be fitted to windows.train"), output
    assert complete.snapshot(later) == before
    assert complete.snapshot("03_*") != features
    output = say(complete, "standard_features", GAME)
    assert output.startswith("exit 0"), output
    assert written(output) == set()


def test_currency_of_nobody_is_refused_before_anything_is_replaced(
    complete: Studio, say: Say
) -> None:
    before = complete.outputs()
    rows = complete.raw(GAME, "character_currency")
    others = rows.with_columns(pl.lit("9").add(pl.col("char_id").str.zfill(9)).alias("char_id"))
    complete.write_raw(GAME, "character_currency", others)
    day = date(2025, 1, 1).isoformat()
    output = say(complete, "train", GAME, "--from-raw", f"--as-of={day}")
    expected = f"{len(rows):,} of {len(rows):,} rows belong to no known character"
    assert is_refusal(output, expected), output
    assert complete.outputs() == before


def test_copies_give_the_same_features_and_are_counted_in_the_report(complete: Studio) -> None:
    file = f"03_primary/{GAME}/standard_features.parquet"
    complete.run("standard_features", GAME)
    before = complete.file(file).read_bytes()
    for table in raw_tables():
        with_copy(complete, table)
    complete.run("standard_features", GAME)
    assert complete.file(file).read_bytes() == before
    sources = complete.json(f"03_primary/{GAME}/standard_features_sources.json")
    assert set(sources) - set(raw_tables()) == {"standard_features"}
    for table in set(sources) & set(raw_tables()):
        facts = sources[table]
        assert facts["odd"]["exact copies of other rows, which are left out"] == 1
