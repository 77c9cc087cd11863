"""All libraries compute the same features, or comparing their costs makes no sense."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from benchmarks import bare, duckdb_features, engine, pandas_features, polars_features
from benchmarks.compare import LABELS, differences
from benchmarks.inputs import ORDERS, write_csv
from benchmarks.ways import FORMATS
from churnlib.io.catalog import Catalog
from churnlib.settings import load_settings
from churnlib.synthesis import STANDARD, generate
from tests.base import HISTORY, raw_tables
from tests.variants import slow_but

CHARACTERS = 250


@pytest.fixture(scope="module", params=sorted(STANDARD))
def game(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def data(game: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with untidy tables, in both formats, and the engine's features of them."""
    folder = tmp_path_factory.mktemp(game)
    raw = folder / "01_raw" / game
    generate(STANDARD[game], CHARACTERS, 7, raw, file_format="csv")
    for table, make_untidy in UNTIDY.items():
        rows = pl.read_csv(raw / f"{table}.csv", try_parse_dates=True)
        untidy = make_untidy(rows, np.random.default_rng(11)).sample(
            fraction=1, shuffle=True, seed=5
        )
        untidy.write_csv(raw / f"{table}.csv")
        untidy.write_parquet(folder / f"{table}.parquet")
    engine.prepare(folder, game)
    engine.features(folder, game)
    return folder


def features(data: Path, game: str) -> pl.DataFrame:
    return pl.read_parquet(Catalog(str(data), game).features("train").uri)


@pytest.mark.parametrize(
    "library", slow_but(polars_features, of=[duckdb_features, polars_features, pandas_features])
)
@pytest.mark.parametrize("file_format", FORMATS.values())
def test_library_computes_the_features_of_the_engine(
    library: ModuleType, file_format: str, data: Path, game: str, tmp_path: Path
) -> None:
    raw = {"csv": data / "01_raw" / game, "parquet": data}[file_format]
    target = tmp_path / "features.parquet"
    library.features(raw, file_format, load_settings(game), target)
    assert differences(features(data, game).lazy(), pl.scan_parquet(target)) == []


def test_data_contain_the_hard_cases(data: Path, game: str) -> None:
    rows = features(data, game)
    assert rows["currency_age_months"].null_count() > 0, "a subscription that sees no row"
    assert rows["churned_on"].null_count() not in (0, len(rows))
    assert set(rows["sub_churn"]) == {0, 1, None}
    assert rows["age_at_sub_months"].null_count() > 0, "a character that was created later"
    assert rows["is_mastered"].null_count() > 0, "a mastery before the creation"
    assert rows["hard_balance"].null_count() > rows["currency_age_months"].null_count()
    assert rows.select("char_id", "sub_start_date").is_duplicated().any()


def test_bare_copy_equals_the_feature_table(data: Path, game: str, tmp_path: Path) -> None:
    bare.copy(data, game, tmp_path)
    assert pl.read_parquet(tmp_path / "train_features.parquet").equals(features(data, game))


def test_differences_are_found() -> None:
    one = pl.LazyFrame({"sub_id": [1, 2, 3], "a": [1.0, None, 3.0], "b": ["x", "y", "z"]})
    assert differences(one, one.reverse()) == []
    assert differences(one, one.with_columns(pl.col("a") * (1 + 1e-12))) == []
    assert differences(one, one.with_columns(pl.col("a") * (1 + 1e-6))) == ["a: 2 rows differ"]
    assert differences(one, one.with_columns(pl.col("a").fill_null(0))) == ["a: 1 rows differ"]
    assert differences(one, one.drop("b")) == ["only one has b"]
    assert differences(one, one.head(2)) == ["3 rows and 2"]


@pytest.mark.parametrize("label", sorted(LABELS))
def test_labels_are_compared_where_both_have_them(label: str) -> None:
    one = pl.LazyFrame({"sub_id": [1, 2], label: [0, 1]})
    assert differences(one, one.drop(label)) == []
    assert differences(one, one.with_columns(pl.lit(1).alias(label))) == [f"{label}: 1 rows differ"]


@pytest.mark.parametrize("order", ORDERS)
def test_other_order_has_the_same_rows(order: str, tmp_path: Path) -> None:
    spec = raw_tables()[HISTORY]
    rows = pl.LazyFrame(
        {"char_id": [1, 1, 2, 3], "date": [date(2024, 1, 1), date(2024, 2, 1)] * 2, "x": range(4)}
    )
    write_csv(ORDERS[order](rows), tmp_path / "rows.csv")
    reordered = pl.read_csv(tmp_path / "rows.csv", try_parse_dates=True)
    assert not reordered.equals(rows.collect())
    assert reordered.sort(spec.order).equals(rows.collect())


Untidy = Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]


def characters(rows: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Some characters are created after they subscribe."""
    return rows.with_columns(
        pl.when(_some(rows, rng, 0.05))
        .then(pl.date(2024, 12, 3))
        .otherwise("creation_date")
        .alias("creation_date")
    )


def currency(rows: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Months and values are missing, and some characters have no rows."""
    kept = rows.filter(~_some(rows, rng, 0.25), pl.col("char_id") % 9 > 0)
    return kept.with_columns(
        pl.when(~_some(kept, rng, 0.2)).then(column).alias(column)
        for column in raw_tables()[HISTORY].of_kind("number")
    )


def subscriptions(rows: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Some subscriptions have a twin that starts on the same day."""
    twins = rows.filter(_some(rows, rng, 0.1)).with_columns(pl.col("sub_id") + 10**7)
    return pl.concat([rows, twins])


def misses(rows: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Some runs are split into two that touch or overlap."""
    start, end = pl.col("start_date"), pl.col("end_date")
    second = rows.filter(_some(rows, rng, 0.4), start < end)
    overlapping = second.with_columns(start.dt.offset_by("1mo"), end.dt.offset_by("2mo"))
    return pl.concat([rows, overlapping]).unique(["sub_id", "start_date"], maintain_order=True)


def _some(rows: pl.DataFrame, rng: np.random.Generator, share: float) -> pl.Series:
    return pl.Series(rng.random(len(rows)) < share)


UNTIDY: dict[str, Untidy] = {
    "character_data": characters,
    "character_currency": currency,
    "sub_data": subscriptions,
    "sub_miss": misses,
}
