"""What a dataset was made of, handed on through footers."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from churnlib.datasets import Catalog, DatasetRef
from churnlib.errors import DataError
from churnlib.lineage import fact, faults_metadata, metadata_of, tables_behind
from churnlib.storage import write_parquet

ROWS = pl.LazyFrame({"x": [1, 2]})


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(str(tmp_path), "hawk")


def checked(catalog: Catalog, table: str, quarantined: int = 0, **odd: int) -> DatasetRef:
    return write_parquet(ROWS, catalog.checked(table), faults_metadata(quarantined, odd))


def test_a_checked_table_tells_of_itself(catalog: Catalog) -> None:
    subs = checked(catalog, "sub_data", 3, late=2)
    assert tables_behind(subs) == {
        "sub_data": {
            "fingerprint": subs.fingerprint,
            "rows": 2,
            "quarantined": 3,
            "odd": {"late": 2},
        }
    }


def test_lineage_is_handed_on_and_joined(catalog: Catalog) -> None:
    subs, misses = checked(catalog, "sub_data", 1), checked(catalog, "sub_miss")
    currency = checked(catalog, "character_currency", gap=5)
    standard = write_parquet(ROWS, catalog.standard_features(), metadata_of(subs, misses))
    features = write_parquet(ROWS, catalog.features("train"), metadata_of(standard, currency))
    assert tables_behind(features) == tables_behind(subs, misses, currency)
    assert sorted(tables_behind(features)) == ["character_currency", "sub_data", "sub_miss"]
    assert tables_behind(features)["character_currency"]["odd"] == {"gap": 5}


def test_a_table_made_elsewhere_has_nothing_behind_it(catalog: Catalog) -> None:
    features = write_parquet(ROWS, catalog.features("train"))
    assert tables_behind(features) == {}


def test_a_checked_table_made_elsewhere_is_refused(catalog: Catalog) -> None:
    subs = write_parquet(ROWS, catalog.checked("sub_data"))
    with pytest.raises(DataError, match="does not tell its faults") as caught:
        tables_behind(subs)
    assert subs.uri in str(caught.value)


def test_facts_about_the_whole_come_back(catalog: Catalog) -> None:
    facts = {"as_of": date(2025, 1, 1), "churn_after_months": 3, "standard": {"totals": False}}
    made = write_parquet(ROWS, catalog.standard_features(), metadata_of(**facts))
    assert fact(made, "as_of") == "2025-01-01"
    assert fact(made, "churn_after_months") == 3
    assert fact(made, "standard") == {"totals": False}
    with pytest.raises(DataError, match=r"hawk: .* does not tell its currency, .*Build it again"):
        fact(made, "currency")
