"""Messages advise an earlier day only if the flow can run on it."""

from datetime import date
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import write_parquet
from churnlib.io.footer import footer
from churnlib.settings import WindowName
from churnlib.versions.champion import set_champion
from flows.steps.earlier_day import can_run_as_of
from flows.steps.run import Run, open_run
from tests.churnlib.model.samples import save, usual

GAME = "game1"
DAY = date(2025, 10, 1)
LEAKS, SOUND = date(2025, 6, 1), date(2025, 9, 1)
"""Days before and after the back-test and the batch open when the model's labels were known."""


def opened(*arguments: Any, **more: Any) -> Run:
    with open_run(*arguments, **more) as run:
        return run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run in a folder whose champion was trained on labels known by December 2024."""
    catalog = Catalog(str(tmp_path), GAME)
    save(catalog.model("v1"), usual())
    set_champion(catalog, "v1")
    return opened(GAME, DAY, data_dir=str(tmp_path))


def predicted(run: Run, month: date, version: str) -> None:
    facts = footer(model_version=version)
    write_parquet(pl.LazyFrame({"sub_id": [1]}), run.catalog.predictions(month), facts)


def possible(run: Run, day: date) -> set[str]:
    return {flow for flow in get_args(WindowName) if can_run_as_of(run, flow, day)}


def test_only_a_training_can_run_before_the_labels_of_the_model_were_known(run: Run) -> None:
    assert possible(run, date(2024, 11, 30)) == {"train"}
    assert possible(run, date(2024, 12, 1)) == {"train", "batch_predict"}
    assert possible(run, LEAKS) == {"train", "batch_predict"}
    assert possible(run, SOUND) == {"train", "score", "batch_predict"}
    allowed = opened(GAME, DAY, {"allow_label_overlap": True}, run.catalog.data_dir)
    assert possible(allowed, LEAKS) == {"train", "score", "batch_predict"}


def test_a_batch_can_be_scored_if_it_was_predicted(run: Run) -> None:
    predicted(run, date(2025, 2, 1), "v1")
    assert "batch_score" in possible(run, SOUND)


def test_a_batch_cannot_be_predicted_again_by_another_model(run: Run) -> None:
    month = date(2025, 8, 1)
    predicted(run, month, "v1")
    assert "batch_predict" in possible(run, SOUND)
    predicted(run, month, "v0")
    assert "batch_predict" not in possible(run, SOUND)


def test_without_a_model_only_a_training_can_run(tmp_path: Path) -> None:
    assert possible(opened(GAME, DAY, data_dir=str(tmp_path)), SOUND) == {"train"}
