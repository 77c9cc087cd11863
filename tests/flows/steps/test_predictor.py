"""The model that predicts a batch: no row of it, and no outcome of one, may be known to it."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.settings import load_settings
from churnlib.uris import name_of
from churnlib.versions.champion import set_champion
from churnlib.versions.folder import save_model
from flows.steps.predictor import Predictor, find_predictor
from flows.steps.run import open_run
from tests.churnlib.model.samples import FACTS, features, usual

GAME = "game1"
DAY = date(2025, 1, 1)
MONTHLY = {"cohort.grain": "monthly"}


def add(catalog: Catalog, grain: dict[str, Any]) -> None:
    """Saves a champion trained on rows to 2023-11, and its model in use, on rows to 2024-07."""
    settings = load_settings(GAME, grain).model_dump(mode="json")
    rows = features().head(20)
    facts = {**FACTS, "settings": settings, "code": {"features": ""}}
    for place, name, last, known_by in (
        (catalog.model("v1"), None, date(2023, 11, 30), date(2024, 5, 1)),
        (catalog.model_in_use("v1", "u1"), "u1", date(2024, 7, 31), DAY),
    ):
        dated = {"in_use": name, "window": (date(2022, 6, 1), last), "labels_known_by": known_by}
        scored = rows.with_columns(churn_probability=0.5) if name is None else None
        save_model(place, usual(), scored, rows, {**facts, **dated})
    set_champion(catalog, "v1")


def predictor(folder: Path, grain: dict[str, Any], months: int, day: date = DAY) -> Predictor:
    window = {"windows.batch_predict.start": months, "windows.batch_predict.end": months}
    with open_run(GAME, day, {**grain, **window}, str(folder)) as run:
        return find_predictor(run, run.catalog.predictions(DAY))


@pytest.mark.parametrize(
    ("grain", "months", "expected"),
    [
        ({}, -1, "u1"),
        ({}, -5, "u1"),
        ({}, -6, "as_tested"),  # It has learnt these rows.
        (MONTHLY, 0, "u1"),
        (MONTHLY, -1, "as_tested"),  # Its last labels are of the same subscriptions, and later.
    ],
)
def test_model_in_use_predicts_nothing_that_it_has_learnt(
    grain: dict[str, Any], months: int, expected: str, tmp_path: Path
) -> None:
    add(Catalog(str(tmp_path), GAME), grain)
    found = predictor(tmp_path, grain, months)
    assert found.made == {"model_version": "v1", "model_in_use": expected}
    assert (found.in_use and name_of(found.in_use.uri)) == (
        expected if expected[0] == "u" else None
    )
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("grain", "months", "day", "message"),
    [
        ({}, -1, date(2024, 4, 30), "2024-05-01, after 2024-04-30, the day of the run: label leak"),
        ({}, -14, DAY, "on rows up to 2023-11-30, after windows.batch_predict opens on 2023-11-01"),
        (MONTHLY, -9, DAY, "up to 2024-05-01, after windows.batch_predict opens on 2024-04-01"),
    ],
)
def test_version_that_knows_too_much_as_tested_is_refused(
    grain: dict[str, Any], months: int, day: date, message: str, tmp_path: Path
) -> None:
    add(Catalog(str(tmp_path), GAME), grain)
    with pytest.raises(ModelError, match=message):
        predictor(tmp_path, grain, months, day)
    allowed = grain | {"allow_label_overlap": True}
    (warning,) = predictor(tmp_path, allowed, months, day).warnings
    assert message.partition(":")[0] in warning
