"""Registrations and back-tests that are killed at each of their changes, and what comes next."""

import json
import re
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from churnlib.errors import UnreadableModelError
from churnlib.io import datasets, storage
from churnlib.io.catalog import Catalog
from churnlib.versions.champion import champion_and_registry
from churnlib.versions.folder import list_versions
from churnlib.versions.transactions import finish_interrupted
from flows.steps import registration
from flows.steps.promotion import delete_versions, record_back_test
from flows.steps.registration import RegistrationPolicy, register
from tests.churnlib.versions.samples import make_champion, make_evidence
from tests.churnlib.versions.test_transactions import add_unfitted
from tests.flows.steps.test_promotion import COMPARISON
from tests.killed import is_killed
from tests.variants import slow_but

EVIDENCE = make_evidence().model_dump(mode="json")
POLICY = RegistrationPolicy(may_promote=True, keep_versions=1, allow_joblib=False)


def register_version(catalog: Catalog, version: str) -> None:
    register.fn(
        datasets.ref(catalog.model(version)),
        catalog.registry(),
        catalog.champion(),
        before="",
        policy=POLICY,
    )


def compare(catalog: Catalog, decision: str) -> None:
    comparison = COMPARISON | {"candidate": "v2", "champion": "v1", "decision": decision}
    model = datasets.ref(catalog.model("v2"))
    place = catalog.registry()
    record_back_test.fn(model, EVIDENCE, comparison, place, before="", keep_versions=1)


def nothing_yet(catalog: Catalog) -> None:
    add_unfitted(catalog, "v1")


def waiting_candidate(catalog: Catalog) -> None:
    add_unfitted(catalog, "v0", "v1", "v2")
    make_champion(catalog, "v1")
    register_version(catalog, "v2")
    add_unfitted(catalog, "v0")  # An old version that nobody needs.


def damaged_champion(catalog: Catalog) -> None:
    add_unfitted(catalog, "v1", "v2")
    make_champion(catalog, "v1")


CASES: dict[str, tuple[Callable[[Catalog], None], Callable[[Catalog], None], str, int]] = {
    "first training": (nothing_yet, lambda c: register_version(c, "v1"), "v1", 1),
    "candidate": (waiting_candidate, lambda c: register_version(c, "v2"), "v1", 1),
    "refusal": (waiting_candidate, lambda c: compare(c, "refused"), "v1", 1),
    "acceptance": (waiting_candidate, lambda c: compare(c, "accepted"), "v2", 2),
    "replacement": (damaged_champion, lambda c: register_version(c, "v2"), "v2", 2),
}


def state_of(catalog: Catalog) -> tuple[Any, ...]:
    """Pointer, registry without its times, and versions."""
    texts = [
        re.sub(r'"when": ".*?"', "", (storage.read_if_exists(place.uri) or b"").decode())
        for place in (catalog.champion(), catalog.registry())
    ]
    return (*texts, list_versions(catalog))


@pytest.mark.parametrize("name", slow_but("candidate", "acceptance", of=CASES))
def test_next_run_ends_as_if_the_killed_one_had_not_been(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, change, champion, promotions = CASES[name]
    why = "a file has changed" if prepare is damaged_champion else None
    monkeypatch.setattr(registration, "fault_of", lambda *_: why)
    start, whole = (Catalog(str(tmp_path / part), "hawk") for part in ("start", "whole"))
    prepare(start)
    before = state_of(start)
    shutil.copytree(start.data_dir, whole.data_dir)
    change(whole)
    after = state_of(whole)
    version, registry = champion_and_registry(whole)
    assert (version, len(registry.promotions)) == (champion, promotions)
    for at in count():
        catalog = Catalog(str(tmp_path / f"{at}"), "hawk")
        shutil.copytree(start.data_dir, catalog.data_dir)
        if not is_killed(lambda place=catalog: change(place), catalog.data_dir, at):  # type: ignore[misc]
            break
        finish_interrupted(catalog)
        if state_of(catalog)[:2] != after[:2]:
            assert state_of(catalog) == before, at
            change(catalog)
        delete_versions(catalog, 1)
        assert state_of(catalog) == after, at
    assert at > 3


@pytest.mark.parametrize("name", ["champion", "registry"])
def test_nothing_is_registered_or_promoted_while_the_models_cannot_be_read(
    name: str, tmp_path: Path
) -> None:
    catalog = Catalog(str(tmp_path), "hawk")
    waiting_candidate(catalog)
    file = Path(getattr(catalog, name)().uri)
    file.unlink()
    file.mkdir()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    changes: list[Callable[[], None]] = [
        lambda: register_version(catalog, "v2"),
        lambda: compare(catalog, "accepted"),
        lambda: compare(catalog, "refused"),
    ]
    for change in changes:
        with pytest.raises(UnreadableModelError, match=rf"{name}\.json: cannot be read"):
            change()
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("name", ["manifest.json", "model.skops"])
def test_champion_that_cannot_be_read_is_not_replaced(name: str, tmp_path: Path) -> None:
    catalog = Catalog(str(tmp_path), "hawk")
    add_unfitted(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    for version in ("v1", "v2"):
        manifest = Path(catalog.model(version).uri, "manifest.json")
        facts = json.loads(manifest.read_text()) | {"sha256": {"model.skops": "0" * 64}}
        manifest.write_text(json.dumps(facts))
    file = Path(catalog.model("v1").uri, name)
    file.unlink()
    file.mkdir()
    with pytest.raises(UnreadableModelError, match="Whether model v1 can be used is not known"):
        register_version(catalog, "v2")
    assert b'"v1"' in storage.read_bytes(catalog.champion().uri)
