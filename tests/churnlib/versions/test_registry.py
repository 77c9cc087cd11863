"""The registry of versions: states, promotions, roll back, and which versions stay."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import write_text
from churnlib.model.fitted_model import FittedModel
from churnlib.versions import promotion
from churnlib.versions import registry as registry_module
from churnlib.versions.folder import MANIFEST, champion, load_model, pointed_at, set_champion
from churnlib.versions.gate import Comparison, Decision
from churnlib.versions.listing import history
from churnlib.versions.promotion import promote_by_hand, roll_back
from churnlib.versions.registry import (
    By,
    Promotion,
    Registry,
    candidate,
    named,
    promote,
    read_registry,
    retire,
    versions,
    versions_to_delete,
    write_registry,
)
from tests.churnlib.model.samples import save, usual

NOW = datetime(2025, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(str(tmp_path), "hawk")


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
            "reason": "it is better by 0.0100 at the least",
        }
    )


def keep(catalog: Catalog, registry: Registry) -> None:
    write_registry(registry, catalog.registry())


def make_champion(
    catalog: Catalog,
    name: str,
    by: By = "training",
    at: int = 0,
    behind: Comparison | None = None,
) -> None:
    registry = read_registry(catalog.registry())
    promote(catalog, name, registry, by=by, why="for the test", when=hours(at), behind=behind)


# What it keeps


def test_registry_that_is_not_there_is_empty(catalog: Catalog) -> None:
    assert read_registry(catalog.registry()) == Registry()
    assert candidate(catalog) is None
    assert versions(catalog) == ()


def test_registry_comes_back_as_it_was_written(catalog: Catalog) -> None:
    registry = Registry(candidate="v2").and_compared(compared("v2", "refused"), NOW)
    keep(catalog, registry)
    assert read_registry(catalog.registry()) == registry


@pytest.mark.parametrize("text", ["", "{", "[]", '{"candidate": 5}', '{"other": 1}'])
def test_registry_that_is_damaged_says_what_to_do(text: str, catalog: Catalog) -> None:
    place = Path(catalog.registry().uri)
    place.parent.mkdir(parents=True)
    place.write_text(text)
    with pytest.raises(ModelError, match=r"^hawk: .*registry\.json is damaged: .*remove it"):
        read_registry(catalog.registry())


def test_promotion_moves_the_pointer_and_keeps_who_was_before_and_why(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    keep(catalog, read_registry(catalog.registry()).model_copy(update={"candidate": "v2"}))
    make_champion(catalog, "v2", "back-test", at=1)
    assert champion(catalog).uri == catalog.model("v2").uri
    registry = read_registry(catalog.registry())
    assert registry.candidate is None
    assert [(p.version, p.previous, p.by, p.why, p.when) for p in registry.promotions] == [
        ("v1", None, "training", "for the test", NOW),
        ("v2", "v1", "back-test", "for the test", hours(1)),
    ]


def test_candidate_is_the_version_of_the_registry_if_it_is_there_and_no_champion(
    catalog: Catalog,
) -> None:
    first, second = add(catalog, "v1", "v2")
    set_champion(catalog.champion(), "v1")
    for name, expected in (("v2", second), ("v1", None), ("v9", None)):
        keep(catalog, Registry(candidate=name))
        assert candidate(catalog) == expected
    assert first != second


def test_what_the_gate_has_refused_is_the_candidate_no_more(catalog: Catalog) -> None:
    _, second = add(catalog, "v1", "v2")
    set_champion(catalog.champion(), "v1")
    waiting = Registry(candidate="v2").and_compared(compared("v2", "undecided"), NOW)
    keep(catalog, waiting)
    assert candidate(catalog) == second
    assert waiting.last_refused("v1") is None
    refused = waiting.and_compared(compared("v2", "refused"), hours(1))
    assert refused.candidate is None
    assert refused.last_refused("v1") == refused.comparisons[-1]
    assert refused.last_refused("v3") is None
    # As a version before this one has left it.
    keep(catalog, refused.model_copy(update={"candidate": "v2"}))
    assert candidate(catalog) is None
    # Nothing that says less undoes it.
    later = refused.and_compared(compared("v2", "undecided"), hours(2))
    assert later.needs_manual_promotion("v2")
    assert later.state("v2", "v1") == "refused"


def test_the_same_comparison_is_known_and_any_other_is_not() -> None:
    registry = Registry().and_compared(compared("v2", "refused"), NOW)
    assert registry.knows(compared("v2", "refused"))
    for other in (
        compared("v3", "refused"),
        compared("v2", "refused", champion="v0"),
        compared("v2", "refused", cohort="c2"),
        compared("v2", "refused", loss=0.03),
        compared("v2", "accepted"),
    ):
        assert not registry.knows(other)


def test_registry_that_an_older_version_wrote_is_read(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry())
    keep(catalog, registry.and_compared(compared("v2", "refused"), hours(1)))
    place = Path(catalog.registry().uri)
    old = json.loads(place.read_text())
    for newer in ("window", "as_of"):
        del old["promotions"][0][newer]
    del old["comparisons"][0]["min_outcomes"]
    place.write_text(json.dumps(old))
    assert read_registry(catalog.registry()).promotions[0].window is None
    assert [version.state for version in history(catalog)] == ["refused", "champion"]


# States


def test_states_follow_what_happened(catalog: Catalog) -> None:
    add(catalog, "v1", "v2", "v3", "v4", "v5")
    make_champion(catalog, "v1")
    make_champion(catalog, "v3", "back-test", at=2)
    registry = read_registry(catalog.registry()).model_copy(update={"candidate": "v5"})
    keep(catalog, registry.and_compared(compared("v2", "refused"), hours(1)))
    found = {version.version: version.state for version in history(catalog)}
    assert found == {
        "v5": "candidate",
        "v4": "superseded",
        "v3": "champion",
        "v2": "refused",
        "v1": "former",
    }
    assert list(found) == ["v5", "v4", "v3", "v2", "v1"]


def test_a_refused_candidate_stays_refused_and_a_hand_outranks_the_gate(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry()).model_copy(update={"candidate": "v2"})
    keep(catalog, registry.and_compared(compared("v2", "refused"), hours(1)))
    assert read_registry(catalog.registry()).state("v2", "v1") == "refused"
    make_champion(catalog, "v2", "hand", at=2)
    assert read_registry(catalog.registry()).state("v2", "v2") == "champion"
    make_champion(catalog, "v1", "roll back", at=3)
    assert read_registry(catalog.registry()).state("v2", "v1") == "former"
    assert read_registry(catalog.registry()).was_rolled_back("v2")
    make_champion(catalog, "v2", "hand", at=4)
    assert not read_registry(catalog.registry()).was_rolled_back("v2")


def test_history_tells_of_back_tests_and_lineage(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry())
    made = compared("v2", "accepted")
    keep(catalog, registry.and_compared(made, hours(1)))
    make_champion(catalog, "v2", "back-test", at=2, behind=made)
    second, first = history(catalog)
    assert second.back_test is not None
    assert first.back_test is not None
    assert (second.back_test.value, first.back_test.value) == (0.8, 0.75)
    assert second.lineage == (
        "2025-01-01: compared with v1 on 2024-05-01 to 2024-07-31 as of 2025-01-01: accepted, it "
        "is better by 0.0100 at the least",
        "2025-01-01: champion in place of v1, by back-test on 2024-05-01 to 2024-07-31 as of "
        "2025-01-01: for the test",
    )
    assert first.lineage[-1] == "2025-01-01: gave way to v2"
    assert second.algorithm == "unknown"  # The sample's manifest tells none.


def test_figures_of_a_refused_candidate_are_not_told_of_the_champion(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry()).model_copy(update={"candidate": "v2"})
    keep(catalog, registry.and_compared(compared("v2", "refused"), hours(1)))
    write_report(catalog, "v2", "2025-01-01", 0.8)
    refused, standing = history(catalog)
    assert (refused.state, standing.state) == ("refused", "champion")
    assert refused.back_test is not None
    assert standing.back_test is not None
    assert (refused.back_test.value, standing.back_test.value) == (0.8, 0.75)
    assert read_registry(catalog.registry()).comparison_behind("v1") is None


def test_history_tells_of_the_latest_back_test_be_it_a_comparison_or_a_report(
    catalog: Catalog,
) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    made = compared("v2", "accepted")
    keep(catalog, read_registry(catalog.registry()).and_compared(made, hours(1)))
    make_champion(catalog, "v2", "back-test", at=2, behind=made)
    for as_of, expected in (("2025-03-01", 0.7), ("2025-01-01", 0.8), ("2024-12-01", 0.8)):
        write_report(catalog, "v2", as_of, 0.7)
        second, first = history(catalog)
        assert second.back_test is not None
        assert first.back_test is not None
        assert (second.back_test.value, first.back_test.value) == (expected, 0.75)


def write_report(catalog: Catalog, version: str, as_of: str, roc_auc: float) -> None:
    report = {
        "model_version": version,
        "as_of": as_of,
        "window": {"start": "2024-05-01", "end": "2024-07-31"},
        "general": {"roc_auc": roc_auc},
    }
    write_text(json.dumps(report), catalog.report("score_report").uri)


def test_comparison_behind_a_champion_is_the_one_that_promoted_it(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    tried: list[tuple[Decision, float, int]] = [("refused", 0.0, 1), ("accepted", 0.02, 2)]
    for decision, loss, at in tried:
        registry = read_registry(catalog.registry())
        keep(catalog, registry.and_compared(compared("v2", decision, loss=loss), hours(at)))
    make_champion(catalog, "v2", "back-test", at=2)
    # Another run had begun to compare it by other terms before it was champion.
    registry = read_registry(catalog.registry())
    keep(catalog, registry.and_compared(compared("v2", "refused", loss=0.01), hours(3)))
    behind = read_registry(catalog.registry()).comparison_behind("v2")
    assert behind is not None
    assert (behind.decision, behind.max_loss) == ("accepted", 0.02)


def test_history_tells_when_a_version_was_made_by_its_name_also_of_a_copy(catalog: Catalog) -> None:
    name = "20250103T020512345Z"
    add(catalog, name, "v1")
    file = Path(catalog.model(name).uri, MANIFEST)
    os.utime(file, (0, 0))
    copytree(catalog.model(name).uri, catalog.model("renamed").uri)
    found = {version.version: version.made for version in history(catalog)}
    made = "2025-01-03T02:05:12+00:00"
    assert found == {name: made, "renamed": made, "v1": None}


def test_history_goes_on_where_a_manifest_is_damaged(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    Path(catalog.model("v1").uri, MANIFEST).write_text("{")
    second, first = history(catalog)
    assert second.damage is None
    assert first.damage is not None
    assert "manifest.json is damaged" in first.damage


@pytest.mark.parametrize("metrics", [{}, {"validation": {}}, {"validation": {"general": {}}}])
def test_history_tells_what_is_known_where_a_manifest_lacks_figures(
    metrics: dict[str, Any], catalog: Catalog
) -> None:
    add(catalog, "v1")
    file = Path(catalog.model("v1").uri, MANIFEST)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"metrics": metrics}))
    (found,) = history(catalog)
    assert (found.damage, found.roc_auc) == (None, None)
    assert found.window is not None


# By hand


def test_by_hand_promotes_what_was_accepted(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry())
    keep(catalog, registry.and_compared(compared("v2", "accepted"), hours(1)))
    made = by_hand(catalog, "v2")
    assert made is not None
    assert (made.previous, made.by, made.why) == ("v1", "hand", "as asked")
    assert by_hand(catalog, "v2") is None


@pytest.mark.parametrize(
    ("decision", "doubt"),
    [
        ("refused", "was refused by the gate: it is better"),
        ("undecided", "was compared without a decision"),
        (None, "was never compared with the champion"),
    ],
)
def test_by_hand_refuses_what_was_not_accepted_unless_forced(
    decision: Decision | None, doubt: str, catalog: Catalog
) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    if decision:
        registry = read_registry(catalog.registry())
        keep(catalog, registry.and_compared(compared("v2", decision), hours(1)))
    with pytest.raises(ModelError, match=f"hawk: model v2 {doubt}.*--force"):
        by_hand(catalog, "v2")
    assert pointed_at(catalog.champion()) == "v1"
    made = by_hand(catalog, "v2", force=True)
    assert made is not None
    assert doubt in made.why


@pytest.mark.parametrize(
    ("candidate", "decision", "advice"),
    [
        ("v2", None, "Have it compared: churn score --game hawk --data-dir {0}; or "),
        (
            "v2",
            "undecided",
            "it is compared again: churn score --game hawk --data-dir {0};",
        ),
        ("v2", "refused", "worth: churn score --game hawk --data-dir {0} --model v2; "),
        ("v3", None, "worth: churn score --game hawk --data-dir {0} --model v2; "),
        (None, "refused", "worth: churn score --game hawk --data-dir {0} --model v2; "),
    ],
    ids=["candidate", "undecided", "refused candidate", "superseded", "refused and superseded"],
)
def test_by_hand_advises_what_helps(
    candidate: str | None, decision: Decision | None, advice: str, catalog: Catalog
) -> None:
    add(catalog, "v1", "v2", "v3")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry()).model_copy(update={"candidate": candidate})
    keep(catalog, registry.and_compared(compared("v2", decision), NOW) if decision else registry)
    with pytest.raises(ModelError) as caught:
        by_hand(catalog, "v2")
    message, folder = str(caught.value), catalog.data_dir
    assert advice.format(folder) in message
    force = f"churn promote --game hawk --data-dir {folder} --version v2 --force"
    assert message.endswith(f"promote it all the same: {force}")


def test_by_hand_asks_for_force_again_after_a_refused_version_was_rolled_back_from(
    catalog: Catalog,
) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry())
    keep(catalog, registry.and_compared(compared("v2", "refused"), hours(1)))
    assert by_hand(catalog, "v2", force=True)
    assert by_hand(catalog, "v1")
    with pytest.raises(ModelError, match="v2 was refused by the gate"):
        by_hand(catalog, "v2")


def test_by_hand_takes_the_first_and_a_former_champion_without_force(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    assert by_hand(catalog, "v1")
    make_champion(catalog, "v2", "back-test", at=1)
    assert by_hand(catalog, "v1")


@pytest.mark.parametrize("force", [True, False])
def test_by_hand_refuses_what_is_unknown_or_cannot_be_opened(force: bool, catalog: Catalog) -> None:
    add(catalog, "v1")
    with pytest.raises(ModelError, match=r"hawk: there is no model version 'v2' in .* Known: v1"):
        by_hand(catalog, "v2", force=force)
    Path(catalog.model("v1").uri, "model.skops").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"model\.skops is not as it was written"):
        by_hand(catalog, "v1", force=force)
    for odd in ("..", "v1/../v1", ""):
        with pytest.raises(ModelError, match="there is no model version"):
            by_hand(catalog, odd, force=force)
    assert pointed_at(catalog.champion()) is None


def by_hand(catalog: Catalog, version: str, *, force: bool = False) -> Promotion | None:
    return promote_by_hand(catalog, version, when=hours(9), force=force, allow_joblib=False)


def test_roll_back_goes_back_champion_by_champion(catalog: Catalog) -> None:
    add(catalog, "v1", "v2", "v3")
    for at, name in enumerate(("v1", "v2", "v3")):
        make_champion(catalog, name, "back-test", at=at)
    for at, expected in ((3, "v2"), (4, "v1")):
        made = roll_back(catalog, when=hours(at), allow_joblib=False)
        assert (made.version, made.by) == (expected, "roll back")
        assert champion(catalog).uri == catalog.model(expected).uri
    with pytest.raises(ModelError, match="not known which model was champion before v1"):
        roll_back(catalog, when=hours(5), allow_joblib=False)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"version": "gone"}', "champion.json names the version 'gone', which cannot be read"),
        ("{", "champion.json is damaged"),
    ],
)
def test_a_hand_mends_a_pointer_that_leads_nowhere_without_force(
    text: str, fault: str, catalog: Catalog
) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    write_text(text, catalog.champion().uri)
    with pytest.raises(ModelError, match=rf"hawk: {fault}.*--version VERSION; .*--back; "):
        champion(catalog)
    made = by_hand(catalog, "v2")
    assert made is not None
    assert fault in made.why
    assert any(fault in line for line in history(catalog)[0].lineage)


def test_roll_back_mends_a_pointer_that_is_damaged(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    make_champion(catalog, "v2", at=1)
    write_text("{", catalog.champion().uri)
    assert roll_back(catalog, when=hours(2), allow_joblib=False).version == "v2"
    write_text('{"version": "v2"}', catalog.champion().uri)
    assert roll_back(catalog, when=hours(3), allow_joblib=False).version == "v1"


def test_a_death_between_pointer_and_registry_can_be_rolled_back_from(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(catalog, "v1", "v2", "v3", "v4")
    make_champion(catalog, "v1")
    keep(catalog, read_registry(catalog.registry()).model_copy(update={"candidate": "v2"}))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(registry_module, "write_registry", die)
        with pytest.raises(KeyboardInterrupt):
            make_champion(catalog, "v2", "back-test", at=1)
    assert champion(catalog).uri == catalog.model("v2").uri
    assert candidate(catalog) is None
    assert retire(catalog, 1) == ("v3",)  # Not the one before, v1, which nothing else names.
    assert roll_back(catalog, when=hours(2), allow_joblib=False).version == "v1"
    # What a hand took back is no candidate again, though the registry still has it so.
    assert candidate(catalog) is None


def test_a_mistake_by_hand_leaves_no_folder(tmp_path: Path) -> None:
    mistyped = Catalog(str(tmp_path / "mistyped"), "hawk")
    with pytest.raises(ModelError, match="there is no model version"):
        by_hand(mistyped, "v1")
    with pytest.raises(ModelError, match="not known which"):
        roll_back(mistyped, when=NOW, allow_joblib=False)
    assert history(mistyped) == ()
    assert list(tmp_path.iterdir()) == []


# At once


def test_promotions_at_once_are_all_kept(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("v1", "v2", "v3", "v4")
    add(catalog, *names)

    def read_slowly(place: Dataset) -> Registry:
        found = read_registry(place)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(promotion, "read_registry", read_slowly)
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: by_hand(catalog, name, force=True), names))
    made = read_registry(catalog.registry()).promotions
    assert {p.version for p in made} == set(names)
    assert [p.previous for p in made] == [None, *(p.version for p in made[:-1])]
    assert pointed_at(catalog.champion()) == made[-1].version


def test_no_model_is_opened_while_others_wait(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(catalog, "v1", "v2")
    waiting: list[bool] = []

    def looking(model: DatasetRef, *, allow_joblib: bool) -> FittedModel:
        waiting.append(Path(catalog.models().uri, ".registry.json.lock").exists())
        return load_model(model, allow_joblib=allow_joblib)

    monkeypatch.setattr(promotion, "load_model", looking)
    assert by_hand(catalog, "v1")
    assert by_hand(catalog, "v2", force=True)
    assert roll_back(catalog, when=hours(10), allow_joblib=False).version == "v1"
    assert waiting == [False, False, False]


# Which stay


def test_named_finds_only_what_is_a_version(catalog: Catalog) -> None:
    (model,) = add(catalog, "v1")
    Path(catalog.models().uri, "notes").mkdir()
    Path(catalog.models().uri, ".v9.tmp").mkdir()
    Path(catalog.models().uri, ".v9.tmp", MANIFEST).write_text("{}")
    assert versions(catalog) == ("v1",)
    assert named(catalog, "v1") == model


@pytest.mark.parametrize(
    ("keep_count", "needed", "expected"),
    [
        (None, (), ()),
        (9, (), ()),
        (3, (), ("v2", "v1")),
        (1, ("v2",), ("v4", "v3", "v1")),
        (1, ("v5", "v1"), ("v4", "v3", "v2")),
    ],
)
def test_superfluous_are_the_oldest_that_nobody_needs(
    keep_count: int | None, needed: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert versions_to_delete(["v5", "v4", "v3", "v2", "v1"], keep_count, needed) == expected


def test_retired_is_never_the_champion_its_predecessor_or_the_candidate(catalog: Catalog) -> None:
    add(catalog, "v1", "v2", "v3", "v4", "v5", "v6")
    for at, name in enumerate(("v1", "v3")):
        make_champion(catalog, name, at=at)
    keep(catalog, read_registry(catalog.registry()).model_copy(update={"candidate": "v4"}))
    assert retire(catalog, 1) == ("v5", "v2")
    assert versions(catalog) == ("v6", "v4", "v3", "v1")
    assert not Path(catalog.model("v2").uri).exists()
    assert retire(catalog, 1) == ()
