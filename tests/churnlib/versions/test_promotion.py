"""Promotion, also manual, roll back, and the deletion of old versions."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import DatasetRef
from churnlib.io.storage import write_text
from churnlib.model.fitted_model import FittedModel
from churnlib.versions import model_state, promotion
from churnlib.versions.champion import (
    champion,
    champion_and_registry,
    champion_version,
    set_champion,
)
from churnlib.versions.decision import Decision
from churnlib.versions.folder import list_versions, load_model
from churnlib.versions.listing import describe_versions
from churnlib.versions.model_state import ModelState
from churnlib.versions.promotion import (
    delete_old_versions,
    promote_manually,
    roll_back,
    versions_to_delete,
)
from churnlib.versions.registry import Promotion, Registry, read_registry
from tests.churnlib.versions.samples import (
    NOW,
    add,
    compared,
    hours,
    keep,
    make_champion,
    make_evidence,
)


def manually(catalog: Catalog, version: str, *, force: bool = False) -> Promotion | None:
    return promote_manually(catalog, version, when=hours(9), force=force, allow_joblib=False)


def test_promotion_moves_the_pointer_and_is_recorded(catalog: Catalog) -> None:
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


def test_manual_promotion_of_an_accepted_version(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry())
    keep(catalog, registry.with_comparison(compared("v2", "accepted"), hours(1)))
    promotion = manually(catalog, "v2")
    assert promotion is not None
    assert (promotion.previous, promotion.by, promotion.why) == ("v1", "manual", "on request")
    assert manually(catalog, "v2") is None


@pytest.mark.parametrize(
    ("decision", "objection"),
    [
        ("refused", "was refused by the gate: it is better"),
        ("undecided", "was compared without a decision"),
        (None, "was never compared with the champion"),
    ],
)
def test_manual_promotion_of_another_version_needs_force(
    decision: Decision | None, objection: str, catalog: Catalog
) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    if decision:
        registry = read_registry(catalog.registry())
        keep(catalog, registry.with_comparison(compared("v2", decision), hours(1)))
    with pytest.raises(ModelError, match=f"hawk: model v2 {objection}.*--force"):
        manually(catalog, "v2")
    assert champion_version(catalog) == "v1"
    promotion = manually(catalog, "v2", force=True)
    assert promotion is not None
    assert objection in promotion.why


@pytest.mark.parametrize(
    ("candidate", "decision", "advice"),
    [
        ("v2", None, "Compare it: {score}; or "),
        (
            "v2",
            "undecided",
            "it is compared again: {score};",
        ),
        (
            "v2",
            "refused",
            "Back-test it: {score} --model v2; ",
        ),
        ("v3", None, "Back-test it: {score} --model v2; "),
        (
            None,
            "refused",
            "Back-test it: {score} --model v2; ",
        ),
    ],
    ids=["candidate", "undecided", "refused candidate", "superseded", "refused and superseded"],
)
def test_manual_promotion_says_what_to_do_instead(
    candidate: str | None, decision: Decision | None, advice: str, catalog: Catalog
) -> None:
    add(catalog, "v1", "v2", "v3")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry()).model_copy(update={"candidate": candidate})
    keep(catalog, registry.with_comparison(compared("v2", decision), NOW) if decision else registry)
    with pytest.raises(ModelError) as caught:
        manually(catalog, "v2")
    message, folder = str(caught.value), catalog.data_dir
    score = f"churn score --game hawk --data-dir {folder}"
    assert advice.format(score=score) in message
    force = f"churn promote --game hawk --data-dir {folder} --version v2 --force"
    assert message.endswith(f"promote it anyway: {force}")


def test_manual_promotion_needs_force_again_after_a_roll_back(
    catalog: Catalog,
) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry())
    keep(catalog, registry.with_comparison(compared("v2", "refused"), hours(1)))
    assert manually(catalog, "v2", force=True)
    assert manually(catalog, "v1")
    with pytest.raises(ModelError, match="v2 was refused by the gate"):
        manually(catalog, "v2")


def test_manual_promotion_of_first_and_former_champion_needs_no_force(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    assert manually(catalog, "v1")
    make_champion(catalog, "v2", "back-test", at=1)
    assert manually(catalog, "v1")


@pytest.mark.parametrize("force", [True, False])
def test_manual_promotion_refuses_unknown_and_damaged_versions(
    force: bool, catalog: Catalog
) -> None:
    add(catalog, "v1")
    with pytest.raises(ModelError, match=r"hawk: there is no model version 'v2' in .* Known: v1"):
        manually(catalog, "v2", force=force)
    Path(catalog.model("v1").uri, "model.skops").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"model\.skops is missing or has been changed"):
        manually(catalog, "v1", force=force)
    for odd in ("..", "v1/../v1", ""):
        with pytest.raises(ModelError, match="there is no model version"):
            manually(catalog, odd, force=force)
    assert champion_version(catalog) is None


def test_roll_back_goes_back_champion_by_champion(catalog: Catalog) -> None:
    add(catalog, "v1", "v2", "v3")
    for at, name in enumerate(("v1", "v2", "v3")):
        make_champion(catalog, name, "back-test", at=at)
    for at, expected in ((3, "v2"), (4, "v1")):
        promotion = roll_back(catalog, when=hours(at), allow_joblib=False)
        assert (promotion.version, promotion.by) == (expected, "roll back")
        assert champion(catalog).uri == catalog.model(expected).uri
    with pytest.raises(ModelError, match="no champion before v1 is recorded"):
        roll_back(catalog, when=hours(5), allow_joblib=False)


def test_manual_promotion_replaces_a_missing_champion_without_force(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    write_text('{"version": "gone"}', catalog.champion().uri)
    fault = r"champion.json names the version 'gone', which cannot be read"
    with pytest.raises(ModelError, match=rf"hawk: {fault}.*--version: .*models.*--back; "):
        champion(catalog)
    promotion = manually(catalog, "v2")
    assert promotion is not None
    assert fault in promotion.why
    assert any(fault in line for line in describe_versions(catalog)[0].lineage)


def test_manual_promotion_replaces_a_damaged_pointer_as_it_would_a_champion(
    catalog: Catalog,
) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    write_text("{", catalog.champion().uri)
    with pytest.raises(ModelError, match="v2 was never compared with the champion"):
        manually(catalog, "v2")
    assert Path(catalog.champion().uri).read_text() == "{"
    former = manually(catalog, "v1")
    assert former is not None
    assert former.why == "because champion.json is damaged"
    write_text("{", catalog.champion().uri)
    assert manually(catalog, "v2", force=True)
    assert champion_version(catalog) == "v2"


def test_roll_back_repairs_the_pointer(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    make_champion(catalog, "v2", at=1)
    write_text("{", catalog.champion().uri)
    assert roll_back(catalog, when=hours(2), allow_joblib=False).version == "v2"
    write_text('{"version": "v2"}', catalog.champion().uri)
    assert roll_back(catalog, when=hours(3), allow_joblib=False).version == "v1"


def test_promotion_interrupted_by_an_older_release_can_be_rolled_back(catalog: Catalog) -> None:
    add(catalog, "v1", "v2", "v3", "v4")
    make_champion(catalog, "v1")
    keep(catalog, read_registry(catalog.registry()).model_copy(update={"candidate": "v2"}))
    set_champion(catalog, "v2")  # It moved the pointer first, and was killed.
    assert champion(catalog).uri == catalog.model("v2").uri
    assert ModelState.read(catalog).candidate is None
    # Not v1, the previous champion, which only the pointer's history names.
    assert delete_old_versions(catalog, 1) == ("v3",)
    assert roll_back(catalog, when=hours(2), allow_joblib=False).version == "v1"
    # A version that was rolled back is not the candidate, even if the registry still says so.
    assert ModelState.read(catalog).candidate is None


def test_manual_promotion_of_an_unknown_game_creates_no_folder(tmp_path: Path) -> None:
    mistyped = Catalog(str(tmp_path / "mistyped"), "hawk")
    with pytest.raises(ModelError, match="there is no model version"):
        manually(mistyped, "v1")
    with pytest.raises(ModelError, match="no champion before this is recorded"):
        roll_back(mistyped, when=NOW, allow_joblib=False)
    assert describe_versions(mistyped) == ()
    assert list(tmp_path.iterdir()) == []


def test_concurrent_promotions_are_all_recorded(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("v1", "v2", "v3", "v4")
    add(catalog, *names)

    def read_slowly(catalog: Catalog) -> tuple[str | None, Registry]:
        found = champion_and_registry(catalog)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(model_state, "champion_and_registry", read_slowly)
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: manually(catalog, name, force=True), names))
    promotions = read_registry(catalog.registry()).promotions
    assert {p.version for p in promotions} == set(names)
    assert [p.previous for p in promotions] == [None, *(p.version for p in promotions[:-1])]
    assert champion_version(catalog) == promotions[-1].version


def test_models_are_loaded_outside_the_lock(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(catalog, "v1", "v2")
    waiting: list[bool] = []

    def load_unlocked(model: DatasetRef, *, allow_joblib: bool) -> FittedModel:
        waiting.append(Path(catalog.models().uri, ".registry.json.lock").exists())
        return load_model(model, allow_joblib=allow_joblib)

    monkeypatch.setattr(promotion, "load_model", load_unlocked)
    assert manually(catalog, "v1")
    assert manually(catalog, "v2", force=True)
    assert roll_back(catalog, when=hours(10), allow_joblib=False).version == "v1"
    assert waiting == [False, False, False]


@pytest.mark.parametrize(
    ("keep_count", "needed", "expected"),
    [
        (9, (), ()),
        (3, (), ("v2", "v1")),
        (1, ("v2",), ("v4", "v3", "v1")),
        (1, ("v5", "v1"), ("v4", "v3", "v2")),
    ],
)
def test_versions_to_delete_are_the_oldest_that_are_not_needed(
    keep_count: int, needed: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert versions_to_delete(["v5", "v4", "v3", "v2", "v1"], keep_count, needed) == expected


def test_champion_previous_champion_and_candidate_are_never_deleted(
    catalog: Catalog,
) -> None:
    add(catalog, "v1", "v2", "v3", "v4", "v5", "v6")
    for at, name in enumerate(("v1", "v3")):
        make_champion(catalog, name, at=at)
    keep(catalog, read_registry(catalog.registry()).model_copy(update={"candidate": "v4"}))
    assert delete_old_versions(catalog, 1) == ("v5", "v2")
    assert list_versions(catalog) == ("v6", "v4", "v3", "v1")
    assert not Path(catalog.model("v2").uri).exists()
    assert delete_old_versions(catalog, 1) == ()


def test_deleted_version_leaves_its_history_but_no_evidence(catalog: Catalog) -> None:
    add(catalog, "v1", "v2", "v3")
    make_champion(catalog, "v3")
    registry = read_registry(catalog.registry())
    registry = registry.with_comparison(compared("v1", "refused", "v3"), hours(1))
    for version in ("v1", "v3"):
        registry = registry.with_evidence(version, make_evidence(cohort=version))
    keep(catalog, registry)
    assert delete_old_versions(catalog, 1) == ("v2", "v1")
    left = read_registry(catalog.registry())
    assert left.evidence == {"v3": make_evidence(cohort="v3")}
    assert left.comparisons == registry.comparisons
    assert left.promotions == registry.promotions
