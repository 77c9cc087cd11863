"""What came after a subscription's start changes no feature of it, by no bit."""

from collections.abc import Iterator

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.schemas.columns import KEYS, LABEL
from churnlib.schemas.outputs import CAMPAIGNS
from tests.base import HISTORY, raw_tables
from tests.flows.studio import BATCH_DAY, LAST_DAY, Studio, bits

GAME = "game1"
TRAIN = f"04_feature/{GAME}/train_features.parquet"
SCORE = f"04_feature/{GAME}/score_features.parquet"
LATER = ("churned_on", LABEL)


@pytest.fixture
def single(studio: Studio) -> Iterator[Studio]:
    """Raw tables with one subscription a character: what follows it concerns no other."""
    studio.restore()
    subs = studio.raw(GAME, "sub_data").sort("sub_start_date").unique("char_id", keep="last")
    misses = studio.raw(GAME, "sub_miss").join(subs, on="sub_id", how="semi")
    studio.write_raw(GAME, "sub_data", subs)
    studio.write_raw(GAME, "sub_miss", misses)
    train(studio)
    yield studio
    studio.restore()


def train(studio: Studio) -> None:
    studio.run("train_from_raw", GAME, as_of=LAST_DAY)


def with_start(studio: Studio) -> pl.DataFrame:
    """The currency rows, with the start of the character's subscription."""
    starts = studio.raw(GAME, "sub_data").select("char_id", "sub_start_date")
    return studio.raw(GAME, "character_currency").join(starts, on="char_id", how="left")


@pytest.mark.parametrize("how", ["rewritten", pytest.param("deleted", marks=pytest.mark.slow)])
def test_features_do_not_change_with_currency_after_the_start(single: Studio, how: str) -> None:
    before, file = single.table(TRAIN), single.file(TRAIN).read_bytes()
    rows = with_start(single)
    later = pl.col("date") > pl.col("sub_start_date")
    changed = {
        "rewritten": rows.with_columns(
            pl.when(later).then(pl.lit("987654")).otherwise(column).alias(column)
            for column in raw_tables()[HISTORY].of_kind("number")
        ),
        "deleted": rows.filter(~later.fill_null(False)),
    }[how]
    single.write_raw(GAME, "character_currency", changed.drop("sub_start_date"))
    train(single)
    assert bits(single.table(TRAIN)) == bits(before)
    assert single.file(TRAIN).read_bytes() == file


@pytest.mark.slow
def test_features_change_with_the_currency_of_the_day_before(single: Studio) -> None:
    """That the tests above can fail: the last visible row does count."""
    before = single.table(TRAIN)
    seen = pl.col("date") <= pl.col("sub_start_date")
    raised = pl.when(seen).then(pl.lit("987654")).otherwise("hard_balance")
    rows = with_start(single).with_columns(raised.alias("hard_balance"))
    single.write_raw(GAME, "character_currency", rows.drop("sub_start_date"))
    train(single)
    after = single.table(TRAIN)
    assert (after["hard_balance"].drop_nulls() == 987654).all()
    assert bits(after.select(KEYS)) == bits(before.select(KEYS))


@pytest.mark.slow
def test_features_do_not_change_with_later_mastery_and_totals(single: Studio) -> None:
    before = single.table(TRAIN)
    starts = single.raw(GAME, "sub_data").select("char_id", "sub_start_date")
    rows = single.raw(GAME, "character_data").join(starts, on="char_id", how="left")
    later = pl.col("class_mastery_date") > pl.col("sub_start_date")
    moved = pl.when(later).then(pl.lit(None, pl.String)).otherwise("class_mastery_date")
    changed = rows.with_columns(
        moved.alias("class_mastery_date"), total_kills=pl.lit("1"), total_deaths=pl.lit("2")
    )
    assert rows.select(later.sum()).item() > 50
    single.write_raw(GAME, "character_data", changed.drop("sub_start_date"))
    train(single)
    assert bits(single.table(TRAIN)) == bits(before)


@pytest.mark.slow
def test_misses_change_nothing_but_the_label(single: Studio) -> None:
    before = single.table(TRAIN)
    assert before[LABEL].sum() > 20
    misses = single.raw(GAME, "sub_miss")
    churned = before.filter(pl.col(LABEL) == 1).head(10).select(pl.col("sub_id").cast(pl.String))
    single.write_raw(GAME, "sub_miss", misses.join(churned, on="sub_id", how="anti"))
    train(single)
    after = single.table(TRAIN)
    assert after[LABEL].sum() == before[LABEL].sum() - 10
    assert bits(after.drop(LATER)) == bits(before.drop(LATER))


@pytest.mark.slow
def test_reports_of_a_day_do_not_change_with_later_rows_even_invalid_ones(studio: Studio) -> None:
    """Odd and faulty rows that were not known on the day are neither counted nor complained of."""
    studio.restore()
    windows = {
        "windows.train.start": -24,
        "windows.train.end": -8,
        "windows.score.start": -2,
        "windows.score.end": -1,
    }
    studio.run("train_from_raw", GAME, windows, as_of=BATCH_DAY)
    before = studio.snapshot(f"0[34678]_*/{GAME}")
    for table, lines in LATER_ROWS.items():
        file = studio.file(f"01_raw/{GAME}/{table}.csv")
        file.write_text(file.read_text() + "".join(f"{line}\n" for line in lines))
    studio.run("train_from_raw", GAME, windows, as_of=BATCH_DAY)
    after = studio.snapshot(f"0[34678]_*/{GAME}")
    noted = {path for path in before if path.endswith("_sources.json")}
    assert {p for p in before if before[p][1] != after[p][1]} == noted
    with pytest.raises(DataError, match="gender must not be empty"):
        studio.run("train_from_raw", GAME, windows, as_of="2024-07-03")
    studio.restore()


LATER_ROWS = {
    "character_data": ["999999,,elf,mage,west,2024-07-02,2024-07-01,1,1"],
    "character_currency": ["1,2024-11-01,x,1,1,1", "1,2025-05-01,1,1,1,1"],
    "sub_data": [
        "9998,1,2024-07-02,basic,6,small,-9.99,1,1",
        "9999,1,2024-07-02,basic,6,small,cheap,1,1",
    ],
    "sub_miss": ["1,2024-07-01,2024-06-01"],
}
"""Odd rows and faulty ones, all dated after the day on which the batch is predicted."""


@pytest.mark.slow
def test_features_of_a_day_are_those_of_the_data_until_that_day(studio: Studio) -> None:
    """A run as of a day equals a run on raw tables that hold nothing dated later."""
    studio.restore()
    windows = {
        "windows.train.start": -24,
        "windows.train.end": -8,
        "windows.score.start": -2,
        "windows.score.end": -1,
    }
    studio.run("train_from_raw", GAME, windows, as_of=BATCH_DAY)
    whole = studio.table(TRAIN)
    standard = studio.table(f"03_primary/{GAME}/standard_features.parquet")
    for table, column in (
        ("character_currency", "date"),
        ("sub_data", "sub_start_date"),
        ("sub_miss", "start_date"),
    ):
        rows = studio.raw(GAME, table)
        kept = rows.filter(pl.col(column) <= BATCH_DAY)
        if table == "sub_miss":  # A month that has begun is not known to be missed.
            kept = rows.filter(pl.col(column) < BATCH_DAY).with_columns(
                end_date=pl.min_horizontal("end_date", pl.lit("2024-06-01"))
            )
        assert len(kept) < len(rows)
        studio.write_raw(GAME, table, kept)
    studio.run("train_from_raw", GAME, windows, as_of=BATCH_DAY)
    assert bits(studio.table(TRAIN)) == bits(whole)
    assert bits(studio.table(f"03_primary/{GAME}/standard_features.parquet")) == bits(standard)
    studio.restore()


@pytest.mark.slow
def test_batch_has_the_features_of_training_and_back_test_without_the_misses(
    studio: Studio,
) -> None:
    studio.restore()
    studio.run("train_from_raw", GAME)
    studio.run("score", GAME)
    studio.file(f"01_raw/{GAME}/sub_miss.csv").unlink()
    for table, as_of, window in (
        (SCORE, BATCH_DAY, (-1, -1)),
        (SCORE, "2024-08-01", (-3, -1)),
        (TRAIN, "2023-12-01", (-18, -1)),
    ):
        batch = studio.data / "05_model_input" / GAME
        for file in batch.glob("*"):
            file.unlink()
        settings = {
            "windows.batch_predict.start": window[0],
            "windows.batch_predict.end": window[1],
            "allow_label_overlap": True,
        }
        studio.run("batch_predict", GAME, settings, as_of=as_of)
        features = studio.table(f"05_model_input/{GAME}/predict_*.parquet")
        labelled = studio.table(table)
        same = labelled.filter(pl.col("sub_id").is_in(features["sub_id"].implode()))
        assert len(features) == len(same) > 20
        assert set(labelled.columns) - set(features.columns) == {*LATER, *CAMPAIGNS}
        for column in features.columns:
            assert bits(features.select(column)) == bits(same.select(column)), column
    studio.restore()
