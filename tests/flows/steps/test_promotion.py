"""Comparisons of concurrent runs: only one that still holds has an effect."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from churnlib.io.catalog import Catalog
from churnlib.versions import model_state
from churnlib.versions.champion import champion_and_registry, champion_version, set_champion
from churnlib.versions.registry import Registry, read_registry, write_registry
from flows.steps import promotion
from tests.churnlib.model.samples import save, usual
from tests.churnlib.versions.samples import make_evidence

GAME = "hawk"
COMPARISON = {
    "metric": "roc_auc",
    "max_loss": 0.02,
    "promote": True,
    "champion": "v1",
    "cohort": "c1",
    "window": ["2024-05-01", "2024-07-31"],
    "as_of": "2025-01-01",
    "decision": "refused",
    "reason": "of the test",
}
"""A comparison, without its candidate."""
EVIDENCE = make_evidence().model_dump(mode="json")


@pytest.mark.parametrize("held_against", [None, "v1"])
def test_gate_replaces_only_the_champion_of_the_comparison(
    held_against: str | None, tmp_path: Path
) -> None:
    catalog = Catalog(str(tmp_path), GAME)
    names = ("v1", "v2", "v3")
    _, second, _ = (save(catalog.model(name), usual()) for name in names)
    write_registry(Registry(candidate="v2"), catalog.registry())
    set_champion(catalog, "v3")  # By another run.
    comparison = COMPARISON | {"candidate": "v2", "champion": held_against, "decision": "accepted"}
    promotion.record_back_test.fn(
        second, EVIDENCE, comparison, catalog.registry(), before="", keep_versions=None
    )
    assert champion_version(catalog) == "v3"
    known = read_registry(catalog.registry())
    assert known.candidate == "v2"
    (kept,) = known.comparisons
    assert kept.decision == "undecided"
    assert "the champion has changed in the meantime, to v3: score again" in kept.reason


def test_gate_does_not_accept_a_candidate_that_another_run_has_refused(tmp_path: Path) -> None:
    catalog = Catalog(str(tmp_path), GAME)
    _, second = (save(catalog.model(name), usual()) for name in ("v1", "v2"))
    write_registry(Registry(candidate="v2"), catalog.registry())
    set_champion(catalog, "v1")
    for decision in ("refused", "accepted"):
        comparison = COMPARISON | {"candidate": "v2", "decision": decision}
        promotion.record_back_test.fn(
            second, EVIDENCE, comparison, catalog.registry(), before="", keep_versions=None
        )
    assert champion_version(catalog) == "v1"
    known = read_registry(catalog.registry())
    assert (known.candidate, known.state("v2", "v1")) == (None, "refused")


def test_gate_keeps_the_comparisons_of_concurrent_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(str(tmp_path), GAME)
    versions = {name: save(catalog.model(name), usual()) for name in ("v2", "v3", "v4")}

    def read_slowly(catalog: Catalog) -> tuple[str | None, Registry]:
        known = champion_and_registry(catalog)
        time.sleep(0.05)
        return known

    def run(name: str) -> None:
        comparison = COMPARISON | {"candidate": name}
        promotion.record_back_test.fn(
            versions[name], EVIDENCE, comparison, catalog.registry(), before="", keep_versions=None
        )

    monkeypatch.setattr(model_state, "champion_and_registry", read_slowly)
    with ThreadPoolExecutor(len(versions)) as pool:
        list(pool.map(run, versions))
    kept = read_registry(catalog.registry())
    assert {comparison.candidate for comparison in kept.comparisons} == set(versions)
    assert kept.evidence == dict.fromkeys(versions, make_evidence())
