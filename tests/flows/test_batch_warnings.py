"""The warnings of a batch: the same in every run, in its log and in the predictions' footer."""

from datetime import date

import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import ref
from churnlib.io.footer import fact
from tests.flows.models import GAME
from tests.flows.studio import Say, Studio, bits, written

pytestmark = pytest.mark.slow

BATCH = f"07_model_output/{GAME}/predictions_2024-12.parquet"


def footer(studio: Studio) -> list[str]:
    place = Catalog(str(studio.data), GAME).predictions(date(2024, 12, 1))
    warnings: list[str] = fact(ref(place), "warnings")
    return warnings


def test_cached_batch_has_the_warnings_of_the_run_that_predicted_it(
    complete: Studio, say: Say
) -> None:
    subs = complete.raw(GAME, "sub_data")
    cents = (100 * pl.col("price").cast(pl.Float64)).cast(pl.String)
    is_new = pl.col("sub_start_date") >= "2024-12-01"
    prices = pl.when(is_new).then(cents).otherwise("price").alias("price")
    complete.write_raw(GAME, "sub_data", subs.with_columns(prices))
    line = ("batch_predict", GAME, "--replace")
    outputs = [say(complete, *line) for _ in range(2)]
    expected = "a number below or above all of training; if its unit changed, predictions are wrong"
    assert ["predictions" in written(output) for output in outputs] == [True, False]
    warnings = footer(complete)
    assert [text.split(":")[0] for text in warnings] == ["price", "expected_revenue"]
    assert all(text.endswith(expected) for text in warnings)
    for output in outputs:
        assert output.startswith("exit 0"), output
        assert [output.count(text) for text in warnings] == [1, 1]
    before = bits(complete.table(BATCH))

    currency = complete.raw(GAME, "character_currency")
    future = currency.head(1).with_columns(date=pl.lit("2025-07-01"))
    complete.write_raw(GAME, "character_currency", pl.concat([currency, future]))
    output = say(complete, *line)
    complete.restore()
    assert output.startswith("exit 0"), output
    later, *same = footer(complete)
    assert later.startswith("character_currency: 1 row of 2025-07 is not read")
    assert same == warnings
    assert [output.count(text) for text in footer(complete)] == [1, 1, 1]
    assert bits(complete.table(BATCH)) == before
