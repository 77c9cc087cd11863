"""Facts about the whole of a dataset, kept in its footer."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from churnlib.errors import DataError
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import fact, footer, write_parquet


def test_facts_about_the_whole_come_back(tmp_path: Path) -> None:
    facts = {"as_of": date(2025, 1, 1), "churn_after_months": 3, "standard": {"totals": False}}
    rows, target = pl.LazyFrame({"x": [1, 2]}), Catalog(str(tmp_path), "hawk").standard_features()
    made = write_parquet(rows, target, footer(**facts))
    assert fact(made, "as_of") == "2025-01-01"
    assert fact(made, "churn_after_months") == 3
    assert fact(made, "standard") == {"totals": False}
    with pytest.raises(DataError, match=r"hawk: .* does not tell its currency, .*Build it again"):
        fact(made, "currency")
