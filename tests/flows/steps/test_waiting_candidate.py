"""A waiting candidate: its window, and the looks at it."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import DatasetRef
from churnlib.months import shift_months
from churnlib.settings import ChampionSettings
from churnlib.versions.gate import Comparison, Terms
from churnlib.versions.manifest import MANIFEST
from churnlib.versions.model_state import ModelState
from churnlib.versions.registry import Registry
from flows.steps.back_test_plan import BackTestPlan, waiting_window
from flows.steps.gate import Gate
from flows.steps.run import Run, SubscriptionWindow
from tests.churnlib.versions.samples import NOW, add, compared, keep, make_champion

WINDOW = SubscriptionWindow(
    "windows.score", date(2024, 7, 1), date(2024, 9, 30), as_of=date(2025, 3, 1)
)

GATE = Gate(
    Terms.of(ChampionSettings()),
    ruling=None,
    past=None,
    is_champion=False,
    leaks=False,
    contact_outcomes=30,
    configuration="a",
)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(str(tmp_path), "hawk")


def models(catalog: Catalog, known_by: str, *comparisons: Comparison) -> ModelState:
    """A champion v1 and a candidate v2, whose labels were available by a day."""
    for model in add(catalog, "v1", "v2"):
        place = Path(model.uri) / MANIFEST
        place.write_text(json.dumps({**json.loads(place.read_text()), "labels_known_by": known_by}))
    make_champion(catalog, "v1")
    registry = ModelState.read(catalog).registry.model_copy(update={"candidate": "v2"})
    for comparison in comparisons:
        registry = registry.with_comparison(comparison, NOW)
    keep(catalog, registry)
    return ModelState.read(catalog)


@pytest.mark.parametrize(
    ("known_by", "opens"),
    [("2024-05-01", date(2024, 5, 1)), ("2024-06-01", date(2024, 6, 1))],
)
def test_waiting_candidate_is_compared_on_the_months_of_earlier_comparisons_too(
    known_by: str, opens: date, catalog: Catalog
) -> None:
    run = cast("Run", SimpleNamespace(window=lambda _: WINDOW))
    state = models(catalog, known_by, compared("v2", "undecided"))
    candidate, champion = state.candidate, state.champion
    assert candidate is not None
    assert champion is not None
    window = waiting_window(run, state, candidate, champion)
    assert (window.first, window.last) == (opens, WINDOW.last)
    new = replace(state, registry=Registry())
    assert waiting_window(run, new, candidate, champion) == WINDOW


def test_looks_and_the_first_allowed_loss_come_from_the_registry() -> None:
    first = compared("v2", "undecided", loss=0.013).model_copy(
        update={"configuration": "a", "look": 1}
    )
    registry = Registry().with_comparison(first, NOW)
    version, champion = (DatasetRef("model", "hawk", f"models/{v}", v) for v in ("v2", "v1"))
    plan = BackTestPlan(version, WINDOW, GATE, registry, (champion,))
    for cohort, look, loss in (("c1", 1, None), ("c2", 2, 0.013)):
        known = plan.gate_on(DatasetRef("score_features", "hawk", "score_features.parquet", cohort))
        assert (known.look, known.first_loss) == (look, loss)


@pytest.mark.parametrize(("months", "shared", "look"), [(4, 0, 1), (4, 6, 2), (9, 6, 1)])
def test_windows_of_months_that_tell_the_same_churn_are_looks_at_it(
    months: int, shared: int, look: int
) -> None:
    first = compared("v2", "undecided").model_copy(update={"configuration": "a", "look": 1})
    version, champion = (DatasetRef("model", "hawk", f"models/{v}", v) for v in ("v3", "v1"))
    opens, ends = (shift_months(day.replace(day=1), months) for day in first.window)
    later = replace(WINDOW, first=opens, last=ends)
    registry = Registry().with_comparison(first, NOW)
    plan = BackTestPlan(version, later, GATE, registry, (champion,), shared_months=shared)
    known = plan.gate_on(DatasetRef("score_features", "hawk", "score_features.parquet", "c2"))
    assert known.look == look
