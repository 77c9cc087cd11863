"""Samples of characters, chosen by the hash of their ids."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from churnlib.errors import ModelError, TooFewRowsError
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import footer
from churnlib.io.hashing import hashes
from churnlib.io.table_writer import write_table
from churnlib.model import baseline, calibration, importance
from churnlib.model.feature_table import FeatureTable
from churnlib.model.sample import Sample, describe_sample, draw_sample, naming_sample_setting
from churnlib.settings import EvaluationSettings, Offer, TrainSettings
from churnlib.versions.folder import read_golden
from churnlib.versions.manifest import read_manifest
from churnlib.versions.verification import GOLDEN_ROWS
from flows.steps.manifest_facts import ModelRequest
from flows.steps.reports import TrainingContext
from flows.steps.training import fit_model
from flows.steps.training_report import report_training
from tests.churnlib.model.samples import BOOSTING, FACTS, features, model_of, training

TABLE = features(480)
"""A game's 240 characters, each with two subscriptions."""


def file(folder: Path, rows: pl.DataFrame = TABLE) -> DatasetRef:
    facts = footer(as_of=date(2025, 1, 1), window=(date(2024, 1, 1), date(2024, 6, 30)))
    target = Dataset("train_features", "hawk", str(folder / "train_features.parquet"))
    return write_table([rows], target, rows.schema, facts)


def standard(folder: Path) -> DatasetRef:
    """The subscriptions of the table, for twelve months each."""
    rows = TABLE.select(
        "char_id",
        "sub_id",
        "sub_start_date",
        sub_months=pl.lit(12),
        churned_on=pl.lit(None, pl.Date),
    )
    target = Dataset("standard_features", "hawk", str(folder / "standard_features.parquet"))
    return write_table([rows], target, rows.schema)


def settings(**options: Any) -> TrainSettings:
    return training(model_of(BOOSTING), **options)


def drawn(features: DatasetRef, **options: Any) -> Sample:
    return draw_sample(features, settings(**options))


@pytest.mark.parametrize("share", [1e-9, 0.001, 0.1, 0.5, 0.7312, 1023.5 / 1024, 0.999999, 1.0])
def test_sample_holds_the_characters_with_hashes_below_the_share(
    share: float, tmp_path: Path
) -> None:
    sample = drawn(file(tmp_path), sample=share)
    expected = TABLE.filter(pl.Series(hashes(TABLE["char_id"]) / 2.0**64) < share)
    assert pl.concat(sample.rows).equals(expected)
    others = TABLE.join(expected, on="sub_id", how="anti")
    assert not set(expected["char_id"]) & set(others["char_id"])
    rows, of = len(expected), len(TABLE)
    assert sample.to_json() == {"share": share, "rows": rows, "of": of, "setting": "train.sample"}


def test_sample_of_a_character_does_not_depend_on_other_characters(tmp_path: Path) -> None:
    third = TABLE.filter(pl.col("char_id") % 3 == 0)
    of_third, of_all = (
        set(pl.concat(drawn(file(tmp_path, rows), sample=0.4).rows)["char_id"])
        for rows in (third, TABLE)
    )
    assert of_third == of_all & set(third["char_id"])


def test_share_follows_from_max_rows_by_default(tmp_path: Path) -> None:
    features = file(tmp_path)
    whole = drawn(features, max_rows=480)
    assert (whole.share, whole.rows.height) == (1, 480)
    half = drawn(features, max_rows=240)
    assert half.share == 0.5
    assert pl.concat(half.rows).equals(pl.concat(drawn(features, sample=0.5).rows))
    assert drawn(features, sample=1.0, max_rows=10).rows.height == 480
    assert "(train.max_rows)" in describe_sample(half.to_json())


def test_an_empty_table_has_an_empty_sample(tmp_path: Path) -> None:
    assert drawn(file(tmp_path, TABLE.clear()), sample=0.5).rows.height == 0


@pytest.mark.parametrize("share", [0, -0.1, 1.01, "0.5", True])
def test_share_must_be_above_0_and_at_most_1(share: Any) -> None:
    with pytest.raises(ValidationError, match="sample"):
        settings(sample=share)


def test_describe_sample() -> None:
    sample = {"share": 1.0, "rows": 1200, "of": 1200, "setting": "train.max_rows"}
    assert describe_sample(sample) == "all 1,200 rows"
    sample |= {"share": 1 / 3, "rows": 400}
    assert (
        describe_sample(sample) == "400 of 1,200 rows: 33.333% of the characters (train.max_rows)"
    )


def test_other_errors_do_not_name_the_sample_setting(tmp_path: Path) -> None:
    features = file(tmp_path)
    with (
        pytest.raises(TooFewRowsError, match=r"^too few$"),
        naming_sample_setting(drawn(features)),
    ):
        raise TooFewRowsError("too few")
    with (
        pytest.raises(ModelError, match=r"^other$"),
        naming_sample_setting(drawn(features, sample=0.5)),
    ):
        raise ModelError("other")


def run(features: DatasetRef, folder: Path, **options: Any) -> DatasetRef:
    return fit_model.fn(
        features,
        Dataset("models", "hawk", str(folder / "models")),
        ModelRequest(
            train=settings(validation_months=2, **options),
            features=FACTS["settings"] | {"horizon_months": 1},
            functions="",
            labels_known_by=date(2024, 12, 1),
            offer=Offer(),
            rule="fitted",
        ),
        seed=1,
        origin={"settings": {}, "changes": [], "tables": {}, "code": {}},
    )


@pytest.mark.slow
def test_manifest_and_reports_describe_the_sample(tmp_path: Path) -> None:
    table = file(tmp_path)
    model = run(table, tmp_path, sample=0.5)
    manifest = read_manifest(model)
    rows = manifest["sample"]["rows"]
    assert manifest["sample"] == {
        "share": 0.5, "rows": rows, "of": 480, "setting": "train.sample"
    }  # fmt: skip
    assert manifest["inputs"]["train_features"]["rows"] == 480
    assert manifest["metrics"]["in_sample"]["general"]["n"] == rows == manifest["rows"] < 300
    golden = read_golden(model, manifest)
    assert 0 < len(golden) <= GOLDEN_ROWS
    assert is_fair(golden[START], TABLE[START])
    report = Dataset("in_sample_report", "hawk", str(tmp_path / "report.json"))
    data: dict[str, Any] = {"quarantined": {}, "odd": {}}
    evaluation = EvaluationSettings(segments=("race",))
    context = TrainingContext(evaluation, data, (), Offer(), "break_even", None)
    refs = report_training.fn(model, report, table, standard(tmp_path), context)
    line = f"{rows} of 480 rows: 50% of the characters (train.sample)"
    as_json, text, page = (Path(ref.uri).read_text(encoding="utf-8") for ref in refs)
    written = json.loads(as_json)
    assert written["facts"]["sample"] == line
    held_out = written["validation"]["general"]["n"]
    for parts in (
        written["segments"]["race"],
        written["segments"]["characters"],
        written["cohorts"],
    ):
        assert sum(part["n"] for part in parts) == held_out
    assert written["survival"]["subscriptions"] == 480
    assert f"sample {line}" in " ".join(text.split())
    assert line in page


@pytest.mark.parametrize("share", [1e-6, 0.004])
def test_error_names_the_setting_of_too_small_a_sample(share: float, tmp_path: Path) -> None:
    message = r"^hawk: of 480 rows, train.sample takes \d, which are too few. Set train.sample hig"
    with pytest.raises(ModelError, match=message):
        run(file(tmp_path), tmp_path, sample=share)
    with pytest.raises(ModelError, match=r"train.max_rows takes \d, .* Set train.max_rows higher"):
        run(file(tmp_path), tmp_path, max_rows=max(1, int(480 * share)))


def test_error_names_the_setting_of_a_sample_with_one_outcome(tmp_path: Path) -> None:
    in_sample = pl.Series(hashes(TABLE["char_id"]) / 2.0**64) < 0.5
    none_churned = TABLE.with_columns(sub_churn=pl.when(~in_sample).then("sub_churn").otherwise(0))
    features = file(tmp_path, none_churned.cast({"sub_churn": pl.Int8}))
    with pytest.raises(ModelError, match=r"Set train.sample higher, .* 0 of them churned"):
        run(features, tmp_path, sample=0.5)


START = "day"
WIDE = pl.DataFrame(
    {
        "char_id": range(20_000),
        START: [date(2015, 1, 1) + timedelta(n // 10) for n in range(20_000)],
        "sub_churn": [n % 3 == 0 for n in range(20_000)],
    }
)
"""Later characters start later, as in any game."""


def by_share(table: FeatureTable, folder: Path, _: pytest.MonkeyPatch) -> pl.DataFrame:
    return drawn(file(folder, table.collect()), sample=0.1).rows.collect()


def by_max_rows(table: FeatureTable, folder: Path, _: pytest.MonkeyPatch) -> pl.DataFrame:
    return drawn(file(folder, table.collect()), max_rows=1000).rows.collect()


def for_importance(table: FeatureTable, _: Path, patch: pytest.MonkeyPatch) -> pl.DataFrame:
    seen: list[pl.DataFrame] = []

    def predict(_: Any, rows: pl.DataFrame) -> pl.Series:
        seen.append(rows)
        return pl.Series(np.zeros(len(rows)))

    patch.setattr(importance, "predict", predict)
    model: Any = SimpleNamespace(schema=SimpleNamespace(features=()))
    importance.permutation_importance(model, table)
    return seen[0]


def for_the_baseline(table: FeatureTable, _: Path, patch: pytest.MonkeyPatch) -> pl.DataFrame:
    seen: list[pl.DataFrame] = []
    patch.setattr(baseline, "MOST_ROWS", 1000)
    pipeline = SimpleNamespace(fit=lambda rows, _: seen.append(rows))
    patch.setattr(baseline, "_pipeline", lambda: pipeline)
    schema: Any = SimpleNamespace(apply=lambda rows: rows)
    baseline.fit_baseline(table, schema)
    return seen[0]


def for_calibration(table: FeatureTable, _: Path, __: pytest.MonkeyPatch) -> pl.DataFrame:
    schema: Any = SimpleNamespace(apply=lambda rows: rows)
    return calibration.read_calibration_rows(table, schema, 1000)[1]


def golden_size(table: FeatureTable, _: Path, __: pytest.MonkeyPatch) -> pl.DataFrame:
    return table.sample(GOLDEN_ROWS).collect()


SAMPLES = (by_share, by_max_rows, for_importance, for_the_baseline, for_calibration, golden_size)


def is_fair(starts: pl.Series, population: pl.Series) -> bool:
    """Whether the mean start is within 3 standard errors of the population's, and the spread, too.

    A sample of n has a standard deviation with a relative standard error of at most 1 / sqrt(2 n).
    """
    days, every = (s.to_physical().cast(pl.Float64).to_numpy() for s in (starts, population))
    error = every.std() / np.sqrt(len(days))
    is_spread = abs(days.std() / every.std() - 1) < 3 / np.sqrt(2 * len(days))
    return bool(abs(days.mean() - every.mean()) < 3 * error and is_spread)


@pytest.mark.parametrize("ids", ["numbers", "texts"])
@pytest.mark.parametrize("draw", SAMPLES)
def test_samples_start_on_the_same_days_as_all_rows(
    draw: Any, ids: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = WIDE
    if ids == "texts":
        rows = rows.with_columns(pl.format("c{}", pl.col("char_id") + 10_000).alias("char_id"))
    table = replace(FeatureTable.of(rows), size=3_000)
    sample = draw(table, tmp_path, monkeypatch)
    assert GOLDEN_ROWS <= len(sample) < len(rows) / 4
    assert is_fair(sample[START], rows[START])
    assert not is_fair(rows.head(len(sample))[START], rows[START])


@pytest.mark.parametrize("most", [1, 2, 7, 100, 479])
def test_sample_of_a_table_is_bounded_and_has_whole_characters(most: int) -> None:
    sample = FeatureTable.of(TABLE).sample(most).collect()
    assert most - 1 <= len(sample) <= max(most, 2)
    assert sample.equals(TABLE.join(sample, on="char_id", how="semi", maintain_order="left"))
    larger = FeatureTable.of(TABLE).sample(most + 50).collect()
    assert {*sample["char_id"]} <= {*larger["char_id"]}
    kept = FeatureTable.of(TABLE).where(pl.col("char_id") >= 120)
    assert kept.sample(most).collect()["char_id"].min() >= 120  # type: ignore[operator]
