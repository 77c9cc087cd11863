"""Ids that are text give what whole numbers give, but for samples, which ids draw."""

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from tests.base import raw_tables
from tests.flows.studio import BATCH_DAY, Say, Studio, bits, is_refusal, new_studio

pytestmark = pytest.mark.slow  # The small flows of two data folders, one after the other.

GAME = "game2"
TEXT = {"raw.id_type": "text"}
FEATURES = (
    f"04_feature/{GAME}/train_features.parquet",
    f"04_feature/{GAME}/score_features.parquet",
)
PREDICTIONS = f"07_model_output/{GAME}/predictions_2024-06.parquet"
REPORTS = ("in_sample_report", "score_report", "batch_score_report_2024-06")


def as_text(rows: pl.DataFrame) -> pl.DataFrame:
    """Writes ids as text that sorts as the numbers do."""
    ids = [column for column in raw_tables().ids if column in rows.columns]
    return rows.with_columns(pl.col(ids).cast(pl.String).str.zfill(9).str.replace("^", "id-"))


def take_through(studio: Studio, settings: dict[str, Any]) -> None:
    for flow, day in (
        ("train_from_raw", None), ("score_from_raw", None), ("batch_predict", BATCH_DAY),
        ("batch_score_from_raw", None), ("score", None), ("batch_score", None),
    ):  # fmt: skip
        studio.run(flow, GAME, settings, as_of=day)


@pytest.fixture(scope="module")
def texts(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """The same game twice: with numbers in the studio of this file, and here with text."""
    other = new_studio(tmp_path_factory.mktemp("texts"), studio.pristine)
    for table in raw_tables():
        other.write_raw(GAME, table, as_text(other.raw(GAME, table)))
    take_through(studio, {})
    take_through(other, TEXT)
    return other


@pytest.mark.parametrize("table", FEATURES)
def test_text_ids_give_the_same_features_and_labels(
    studio: Studio, texts: Studio, table: str
) -> None:
    numbers, with_texts = (of.table(table) for of in (studio, texts))
    assert with_texts.schema["sub_id"] == with_texts.schema["char_id"] == pl.String
    expected = as_text(numbers).select(with_texts.columns)
    assert bits(expected.sort("sub_id")) == bits(with_texts.sort("sub_id"))


def test_text_ids_give_the_same_predictions(studio: Studio, texts: Studio) -> None:
    keys = ["char_id", "sub_id", "sub_start_date"]
    numbers, with_texts = (of.table(PREDICTIONS).sort("sub_id") for of in (studio, texts))
    assert as_text(numbers).select(keys).equals(with_texts.select(keys))
    apart = (numbers["churn_probability"] - with_texts["churn_probability"]).abs().max()
    assert isinstance(apart, float)
    assert apart < 1e-9


def figures(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All figures in plain data, by the way to each."""
    inside = content.items() if isinstance(content, dict) else enumerate(content)
    for name, value in inside:
        if isinstance(value, dict | list):
            yield from figures(value, (*path, str(name)))
        else:
            yield (*path, str(name)), value


@pytest.mark.parametrize("report", REPORTS)
def test_text_ids_give_the_same_metrics(studio: Studio, texts: Studio, report: str) -> None:
    numbers, with_texts = (of.json(f"08_reporting/{GAME}/{report}.json") for of in (studio, texts))
    for part in ("data", "warnings"):
        assert with_texts.get(part) == numbers.get(part)
    for one, other in (
        (numbers, with_texts),
        (numbers.get("validation"), with_texts.get("validation")),
    ):
        for part in ("general", "new_characters") if one else ():
            found_here = dict(figures(other[part]))
            for name, figure in figures(one[part]):
                assert found_here[name] == pytest.approx(figure, abs=1e-9), (part, name)


def test_text_ids_without_the_setting_are_refused_with_it(texts: Studio, say: Say) -> None:
    before = texts.outputs()
    output = say(texts, "train", GAME, "--from-raw")
    assert is_refusal(output, 'If ids are text, set raw.id_type = "text".')
    assert texts.outputs() == before


@pytest.mark.parametrize("flow", ["score", "batch_score"])
def test_features_of_other_ids_are_refused(
    studio: Studio, texts: Studio, say: Say, flow: str
) -> None:
    output = say(studio, flow, GAME, "--set=raw.id_type=text")
    assert is_refusal(output, "has sub_id as Int64 and not as String"), output
