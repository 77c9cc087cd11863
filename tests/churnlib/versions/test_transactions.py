"""Promotions, roll backs and deletions of versions that are killed at each of their changes."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from churnlib.io import storage
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset
from churnlib.io.temporary import temporary_name
from churnlib.uris import is_remote, join
from churnlib.versions import champion as champion_module
from churnlib.versions import manifest, promotion
from churnlib.versions.champion import champion_and_registry, champion_version
from churnlib.versions.folder import list_versions
from churnlib.versions.manifest import MANIFEST
from churnlib.versions.model_state import ModelState
from churnlib.versions.promotion import delete_old_versions, promote_manually, roll_back
from churnlib.versions.registry import Registry, read_registry, write_registry
from churnlib.versions.transactions import commit, finish_interrupted, registry_lock
from tests.churnlib.model.samples import FACTS
from tests.churnlib.versions.samples import NOW, compared, hours, keep, make_champion
from tests.killed import is_killed
from tests.variants import slow_but


def add_unfitted(catalog: Catalog, *names: str) -> None:
    """Adds versions with a manifest, and a file in place of a model."""
    for name in names:
        facts = {"version": name, "game": catalog.game, "model_file": "model.skops", "sha256": {}}
        facts |= {"features": [], "libraries": {}, "depends_on": []}
        with storage.replacing(catalog.model(name).uri, last=MANIFEST) as folder:
            (folder / "reports").mkdir(parents=True)
            (folder / "reports" / "score_report.txt").write_text("x")
            (folder / "model.skops").write_text("x")
            (folder / MANIFEST).write_text(json.dumps({**FACTS, **facts}, default=str))


def two_champions(catalog: Catalog) -> None:
    """Four versions: v2 is champion after v1, v3 was refused, and v4 waits as the candidate."""
    add_unfitted(catalog, "v1", "v2", "v3", "v4")
    make_champion(catalog, "v1")
    make_champion(catalog, "v2", "back-test", at=1)
    registry = read_registry(catalog.registry()).model_copy(update={"candidate": "v3"})
    registry = registry.with_comparison(compared("v3", "refused", "v2"), hours(2))
    keep(catalog, registry.model_copy(update={"candidate": "v4"}))


def first_version(catalog: Catalog) -> None:
    add_unfitted(catalog, "v1")


def promote_first(catalog: Catalog) -> None:
    with registry_lock(catalog):
        state = ModelState.read(catalog)
        promotion.promote(state, "v1", promotion.Cause("the first"), by="training", when=NOW)


def promote_candidate(catalog: Catalog) -> None:
    accepted = compared("v4", "accepted", "v2")
    with registry_lock(catalog):
        registry = read_registry(catalog.registry()).with_comparison(accepted, hours(3))
        state = ModelState(catalog, registry, "v2", None)
        cause = promotion.Cause("it is better", accepted)
        promotion.promote(state, "v4", cause, by="back-test", when=hours(3))


def register_candidate(catalog: Catalog) -> None:
    with registry_lock(catalog):
        registry = read_registry(catalog.registry())
        commit(catalog, registry.model_copy(update={"candidate": "v1"}))


def promote_refused(catalog: Catalog) -> None:
    promote_manually(catalog, "v3", when=hours(3), force=True, allow_joblib=False)


def back(catalog: Catalog) -> None:
    roll_back(catalog, when=hours(3), allow_joblib=False)


def retire(catalog: Catalog) -> None:
    delete_old_versions(catalog, 1)


@dataclass(frozen=True)
class Scenario:
    """A change, what it starts from, and what it leads to."""

    prepare: Callable[[Catalog], None]
    change: Callable[[Catalog], None]
    champion: str
    promotions: int
    versions: tuple[str, ...] = ("v4", "v3", "v2", "v1")


SCENARIOS = {
    "first promotion": Scenario(first_version, promote_first, "v1", 1, ("v1",)),
    "promotion": Scenario(two_champions, promote_candidate, "v4", 3),
    "registration": Scenario(two_champions, register_candidate, "v2", 2),
    "manual promotion": Scenario(two_champions, promote_refused, "v3", 3),
    "roll back": Scenario(two_champions, back, "v1", 3),
    "retirement": Scenario(two_champions, retire, "v2", 2, ("v4", "v2", "v1")),
}


@pytest.fixture
def unopened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets versions without a model be promoted."""
    monkeypatch.setattr(promotion, "load_model", lambda *_, **__: None)


def state_of(catalog: Catalog) -> tuple[Any, ...]:
    """The contents of pointer and registry, and all files of the versions."""
    files = [
        (entry.name, entry.size)
        for entry in storage.list_files(catalog.models().uri)
        if "/" in entry.name and not entry.name.startswith(".")
    ]
    places = (catalog.champion(), catalog.registry())
    return (*(storage.read_if_exists(place.uri) for place in places), files)


def seen_by_readers(catalog: Catalog) -> tuple[str | None, Registry]:
    champion, registry = champion_and_registry(catalog)
    return champion, registry.model_copy(update={"promoting": None, "deleting": ()})


def free_lock(catalog: Catalog) -> None:
    """Makes the lock of a dead process in an object store old enough to be taken."""
    if is_remote(catalog.data_dir):
        storage.remove(join(catalog.models().uri, ".registry.json.lock"))


def copies(scenario: Scenario, root: str) -> Iterator[Catalog]:
    """Yields any number of data folders in the state before the change."""
    for number in count():
        catalog = Catalog(f"{root}/{number}", "hawk")
        first = Path(root, "0")
        if number and not is_remote(root):
            shutil.copytree(first, catalog.data_dir)
        else:
            scenario.prepare(catalog)
        yield catalog


def check_killed_everywhere(scenario: Scenario, root: str) -> None:
    """Kills the change after any number of its changes of files, and starts again."""
    places = copies(scenario, root)
    start, whole = next(places), next(places)
    before, seen_before = state_of(start), seen_by_readers(start)
    scenario.change(whole)
    after, seen_after = state_of(whole), seen_by_readers(whole)
    assert seen_after[0] == scenario.champion
    assert len(seen_after[1].promotions) == scenario.promotions
    assert list_versions(whole) == scenario.versions
    assert after != before
    outcomes = []
    for at, catalog in enumerate(places):
        if not is_killed(lambda place=catalog: scenario.change(place), root, at):  # type: ignore[misc]
            assert state_of(catalog) == after
            break
        assert seen_by_readers(catalog) in (seen_before, seen_after), at
        has_moved = state_of(catalog)[0] != before[0]
        free_lock(catalog)
        finish_interrupted(catalog)
        outcomes.append(state_of(catalog))
        assert outcomes[-1] in (before, after), at
        assert outcomes[-1] == after or not has_moved, at
        if outcomes[-1] == before:
            scenario.change(catalog)
            assert state_of(catalog) == after, at
    # Nothing happened up to one operation, and all from it on.
    turn = outcomes.index(after)
    assert turn > 0
    assert outcomes == [before] * turn + [after] * (len(outcomes) - turn)


@pytest.mark.parametrize("name", slow_but("promotion", "retirement", of=SCENARIOS))
def test_change_killed_at_any_operation_is_undone_or_finished(
    name: str, tmp_path: Path, unopened: None
) -> None:
    check_killed_everywhere(SCENARIOS[name], str(tmp_path))


@pytest.mark.parametrize(
    "name", slow_but("first promotion", of=["first promotion", "promotion", "retirement"])
)
def test_change_killed_at_any_request_is_undone_or_finished(
    name: str, bucket: str, unopened: None
) -> None:
    check_killed_everywhere(SCENARIOS[name], bucket)


def interrupted(catalog: Catalog, change: Callable[[Catalog], None]) -> None:
    """Leaves a change when its registry is written and nothing else is done."""
    change_registry: list[Registry] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(promotion, "commit", lambda _, registry: change_registry.append(registry))
        change(catalog)
    keep(catalog, change_registry[0])


def test_next_change_removes_what_killed_ones_left_beside_the_registry(catalog: Catalog) -> None:
    add_unfitted(catalog, "v1")
    folder = Path(catalog.models().uri)
    left = [folder / temporary_name(name) for name in ("champion.json", "registry.json")]
    others = [folder / temporary_name(name) for name in ("v2", "champion.json.bak")]
    for path in (*left, *others):
        path.write_text("half")
    promote_first(catalog)
    assert [path for path in (*left, *others) if path.exists()] == others


def test_roll_back_that_is_repeated_after_a_kill_goes_back_once(
    catalog: Catalog, unopened: None
) -> None:
    two_champions(catalog)
    make_champion(catalog, "v4", "back-test", at=2)
    interrupted(catalog, back)
    promoted = roll_back(catalog, when=hours(4), allow_joblib=False)
    assert (promoted.version, promoted.when) == ("v2", hours(3))
    assert champion_version(catalog) == "v2"


def test_what_is_finished_is_said(
    catalog: Catalog, unopened: None, caplog: pytest.LogCaptureFixture
) -> None:
    two_champions(catalog)
    interrupted(catalog, promote_candidate)
    with caplog.at_level(logging.WARNING):
        finished = finish_interrupted(catalog)
    assert finished is not None
    assert finished.version == "v4"
    assert "stopped during the promotion of model v4, which is finished now" in caplog.text
    interrupted(catalog, retire)
    assert finish_interrupted(catalog) is None
    assert (
        "stopped during the deletion of old models (v3, v1), which is finished now" in caplog.text
    )
    caplog.clear()
    assert finish_interrupted(catalog) is None
    assert not caplog.text


def test_reader_between_two_writes_sees_one_moment(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_champions(catalog)
    waiting = [promote_candidate]

    def read_after_a_promotion(place: Dataset) -> Registry:
        if waiting:
            waiting.pop()(catalog)  # The pointer has been read already.
        return read_registry(place)

    monkeypatch.setattr(champion_module, "read_registry", read_after_a_promotion)
    version, registry = champion_and_registry(catalog)
    assert (version, registry.promotions[-1].version) == ("v4", "v4")


def test_version_that_cannot_be_deleted_is_said_and_stops_nothing(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    two_champions(catalog)

    def deny(folder: str) -> None:
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(manifest, "remove_folder", deny)
    assert delete_old_versions(catalog, 1) == ("v3",)
    assert "model v3 cannot be deleted completely (Permission denied" in caplog.text
    assert list_versions(catalog) == ("v4", "v2", "v1")
    assert read_registry(catalog.registry()).deleting == ()


def test_version_behind_a_link_is_not_deleted(
    catalog: Catalog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever may write to the data folder could have the folders of others emptied."""
    two_champions(catalog)
    others = tmp_path / "others"
    Path(catalog.model("v3").uri).rename(others)
    Path(catalog.model("v3").uri).symlink_to(others)
    content = sorted(others.rglob("*"))
    registry = read_registry(catalog.registry())
    write_registry(registry.model_copy(update={"deleting": ("v3",)}), catalog.registry())
    finish_interrupted(catalog)
    assert "v3 is not removed, because a symbolic link leads from there" in caplog.text
    assert sorted(others.rglob("*")) == content != []
