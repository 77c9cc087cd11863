"""Versions, comparisons and registries to test with."""

from datetime import UTC, datetime, timedelta
from typing import Any

from churnlib.io.catalog import Catalog
from churnlib.io.datasets import DatasetRef
from churnlib.settings import Offer
from churnlib.versions.decision import Decision
from churnlib.versions.evidence import Evidence
from churnlib.versions.gate import Comparison
from churnlib.versions.model_state import ModelState
from churnlib.versions.promotion import Cause, promote
from churnlib.versions.registry import By, Registry, write_registry
from tests.churnlib.model.samples import save, usual

NOW = datetime(2025, 1, 1, 12, tzinfo=UTC)


def add(catalog: Catalog, *names: str) -> list[DatasetRef]:
    return [save(catalog.model(name), usual()) for name in names]


def hours(count: int) -> datetime:
    return NOW + timedelta(hours=count)


def compared(
    candidate: str, decision: Decision, champion: str = "v1", cohort: str = "c1", loss: float = 0.02
) -> Comparison:
    return Comparison.model_validate(
        {
            "metric": "roc_auc",
            "max_loss": loss,
            "promote": True,
            "candidate": candidate,
            "champion": champion,
            "cohort": cohort,
            "window": ["2024-05-01", "2024-07-31"],
            "as_of": "2025-01-01",
            "n": 500,
            "positives": 50,
            "candidate_value": 0.8,
            "champion_value": 0.75,
            "difference": 0.05,
            "interval": [0.01, 0.09],
            "decision": decision,
            "reason": "it is better by at least 0.0100",
        }
    )


def make_evidence(**changes: Any) -> Evidence:
    """The evidence of a good back-test."""
    facts = {
        "cohort": "c1",
        "window": ["2024-05-01", "2024-07-31"],
        "as_of": "2025-01-01",
        "leaks": False,
        "n": 900,
        "positives": 130,
        "roc_auc": 0.71,
        "roc_auc_ci": [0.66, 0.76],
        "baseline_ci": [-0.01, 0.03],
        "gain_ci": [-5.0, 900.0],
        "terms": Offer().model_dump(),
    }
    return Evidence.model_validate({**facts, **changes})


def keep(catalog: Catalog, registry: Registry) -> None:
    write_registry(registry, catalog.registry())


def make_champion(
    catalog: Catalog,
    name: str,
    by: By = "training",
    at: int = 0,
    comparison: Comparison | None = None,
) -> None:
    cause = Cause("for the test", comparison)
    promote(ModelState.read(catalog), name, cause, by=by, when=hours(at))
