"""What predicted batches were made of, and which are missing, incomplete or too small."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import write_parquet
from churnlib.io.footer import footer
from churnlib.months import shift_months
from churnlib.raw.past_batches import (
    PastBatch,
    missing_months,
    predicted_months,
    read_batch,
    read_batches,
    rows_since_text,
    small_batches,
)

JUNE, JULY = date(2024, 6, 1), date(2024, 7, 1)
COUNTS = {
    "sub_data": {"rows": [("2024-06-03", 4100), ("2024-06-30", 140), ("2024-07-02", 9)]},
    "character_currency": {"rows": [("2024-07-01", 80_000)]},
}
"""The rows that are known by now, by day."""


def batch(month: date = JUNE, rows: int = 11, **made_of: int) -> PastBatch:
    span = (month, shift_months(month, 1))
    return PastBatch(month, rows, shift_months(month, 1), span, "v1", made_of, {})


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A catalog with the predictions of June, with facts, and of August, without."""
    catalog = Catalog(str(tmp_path), "hawk")
    rows = pl.LazyFrame({"sub_id": range(11)})
    facts = footer(
        as_of=JULY,
        window=(JUNE, date(2024, 6, 30)),
        model_version="v1",
        made_of={"sub_data": 4100},
        newest={"sub_data": "2024-06-01"},
    )
    write_parquet(rows, catalog.predictions(JUNE), facts)
    write_parquet(rows.head(5), catalog.predictions(date(2024, 8, 1)), footer(model_version="v0"))
    return catalog


def test_batches_are_read_with_what_they_were_made_of(catalog: Catalog) -> None:
    june = PastBatch(
        JUNE,
        11,
        JULY,
        (JUNE, date(2024, 6, 30)),
        "v1",
        {"sub_data": 4100},
        {"sub_data": "2024-06-01"},
    )
    assert read_batch(catalog.predictions(JUNE), JUNE) == june
    assert read_batches(catalog) == [june, PastBatch(date(2024, 8, 1), 5)]


def test_other_files_are_no_batches(catalog: Catalog) -> None:
    folder = Path(catalog.predictions(JUNE).uri).parent
    for name in ("predictions_2024-13.parquet", "predictions_old.parquet", "notes_2024-07.txt",
                 "predictions_2024-07.parquet.bak"):  # fmt: skip
        (folder / name).touch()
    assert predicted_months(catalog) == [JUNE, date(2024, 8, 1)]
    assert predicted_months(Catalog(catalog.data_dir, "owl")) == []


def test_a_batch_is_incomplete_if_more_rows_of_its_day_are_known_by_now() -> None:
    incomplete = batch(sub_data=4100, character_currency=80_000)
    assert incomplete.rows_since(COUNTS) == {"sub_data": (4100, 4240)}
    assert rows_since_text(incomplete, COUNTS) == (
        "made of 4,100 rows of sub_data, of which 4,240 are known by now for 2024-07-01"
    )
    assert batch(sub_data=4240, character_currency=80_000).rows_since(COUNTS) == {}
    assert batch(sub_data=5000).rows_since(COUNTS) == {}, "rows were taken back"
    assert batch(sub_data=4100).rows_since({}) == {}, "a table that does not exist any more"
    assert PastBatch(JUNE, 11).rows_since(COUNTS) == {}, "an earlier version wrote it"


def test_missing_months_are_those_after_the_first_batch() -> None:
    predicted = [JUNE, date(2024, 8, 1)]
    assert missing_months([], JULY) == []
    assert missing_months(predicted, date(2024, 8, 1)) == [JULY]
    assert missing_months(predicted, date(2024, 10, 1)) == [
        JULY,
        date(2024, 9, 1),
        date(2024, 10, 1),
    ]


def test_a_batch_far_smaller_than_those_before_is_too_small() -> None:
    sizes = [150, 145, 160, 151, 148, 155, 152, 11, 149, 100]
    batches = [batch(shift_months(JUNE, n), rows) for n, rows in enumerate(sizes)]
    ((small, expected),) = small_batches(batches)
    assert small == batches[7]
    assert expected == pytest.approx(151, abs=3)


@pytest.mark.parametrize(
    "damage", [{"as_of": "soon"}, {"as_of": 5}, {"window": 7}, {"window": ["2024-06-01"]}], ids=str
)
def test_batch_with_a_damaged_footer_is_refused(damage: dict[str, Any], tmp_path: Path) -> None:
    predictions = Catalog(str(tmp_path), "hawk").predictions(JUNE)
    made = {"as_of": JULY, "window": (JUNE, JUNE), "model_version": "v1", "made_of": {}}
    facts = footer(**{**made, "newest": {}, **damage})
    write_parquet(pl.LazyFrame({"sub_id": range(11)}), predictions, facts)
    with pytest.raises(DataError, match=r"^hawk: .*the footer of .*predictions_2024-06"):
        read_batch(predictions, JUNE)
