"""Facts in the footer of a dataset."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import write_parquet
from churnlib.io.footer import fact, footer, optional_fact


def test_facts_of_the_footer_are_read_back(tmp_path: Path) -> None:
    facts = {"as_of": date(2025, 1, 1), "churn_after_months": 3, "standard": {"totals": False}}
    rows, target = pl.LazyFrame({"x": [1, 2]}), Catalog(str(tmp_path), "hawk").standard_features()
    written = write_parquet(rows, target, footer(**facts))
    assert fact(written, "as_of") == "2025-01-01"
    assert fact(written, "churn_after_months") == 3
    assert optional_fact(written, "standard") == {"totals": False}
    assert optional_fact(written, "currency") is None
    with pytest.raises(DataError, match=r"hawk: the footer of .* does not contain 'currency', so"):
        fact(written, "currency")


@pytest.mark.parametrize("text", ["", "{", "1" * 5000, "[" * 100_000, "5", "[1]", "{}"])
def test_a_fact_that_cannot_be_read_is_refused(text: str, tmp_path: Path) -> None:
    rows, target = pl.LazyFrame({"x": [1]}), Catalog(str(tmp_path), "hawk").standard_features()
    written = write_parquet(rows, target, {"as_of": text})
    for read in (fact, optional_fact):
        with pytest.raises(DataError, match=r"hawk: 'as_of' in the footer of .* cannot be read"):
            read(written, "as_of")
