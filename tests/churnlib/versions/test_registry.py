"""The registry: candidate, states, comparisons."""

import json
from pathlib import Path

import pytest

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.versions.champion import set_champion
from churnlib.versions.folder import list_versions
from churnlib.versions.gate import Decision
from churnlib.versions.listing import describe_versions
from churnlib.versions.model_state import ModelState
from churnlib.versions.registry import Registry, read_registry
from tests.churnlib.versions.samples import NOW, add, compared, hours, keep, make_champion


def test_registry_without_a_file_is_empty(catalog: Catalog) -> None:
    assert read_registry(catalog.registry()) == Registry()
    assert ModelState.read(catalog).candidate is None
    assert list_versions(catalog) == ()


def test_registry_is_read_as_it_was_written(catalog: Catalog) -> None:
    registry = Registry(candidate="v2").with_comparison(compared("v2", "refused"), NOW)
    keep(catalog, registry)
    assert read_registry(catalog.registry()) == registry


@pytest.mark.parametrize("text", ["", "{", "[]", '{"candidate": 5}', '{"other": 1}'])
def test_damaged_registry_says_what_to_do(text: str, catalog: Catalog) -> None:
    place = Path(catalog.registry().uri)
    place.parent.mkdir(parents=True)
    place.write_text(text)
    with pytest.raises(ModelError, match=r"^hawk: .*registry\.json is damaged: .*remove it"):
        read_registry(catalog.registry())


def test_candidate_exists_and_is_not_the_champion(
    catalog: Catalog,
) -> None:
    first, second = add(catalog, "v1", "v2")
    set_champion(catalog, "v1")
    for name, expected in (("v2", second), ("v1", None), ("v9", None)):
        keep(catalog, Registry(candidate=name))
        assert ModelState.read(catalog).candidate == expected
    assert first != second


def test_refused_version_is_no_longer_the_candidate(catalog: Catalog) -> None:
    _, second = add(catalog, "v1", "v2")
    set_champion(catalog, "v1")
    waiting = Registry(candidate="v2").with_comparison(compared("v2", "undecided"), NOW)
    keep(catalog, waiting)
    assert ModelState.read(catalog).candidate == second
    assert waiting.last_refusal("v1") is None
    refused = waiting.with_comparison(compared("v2", "refused"), hours(1))
    assert refused.candidate is None
    assert refused.last_refusal("v1") == refused.comparisons[-1]
    assert refused.last_refusal("v3") is None
    # As an older release may have left it.
    keep(catalog, refused.model_copy(update={"candidate": "v2"}))
    assert ModelState.read(catalog).candidate is None
    # An undecided comparison does not undo it.
    later = refused.with_comparison(compared("v2", "undecided"), hours(2))
    assert later.needs_manual_promotion("v2")
    assert later.state("v2", "v1") == "refused"


def test_only_an_equal_comparison_is_recognised() -> None:
    registry = Registry().with_comparison(compared("v2", "refused"), NOW)
    assert registry.has_comparison(compared("v2", "refused"))
    for other in (
        compared("v3", "refused"),
        compared("v2", "refused", champion="v0"),
        compared("v2", "refused", cohort="c2"),
        compared("v2", "refused", loss=0.03),
        compared("v2", "accepted"),
    ):
        assert not registry.has_comparison(other)


def test_registry_of_an_older_release_is_read(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry())
    keep(catalog, registry.with_comparison(compared("v2", "refused"), hours(1)))
    place = Path(catalog.registry().uri)
    old = json.loads(place.read_text())
    for newer in ("window", "as_of"):
        del old["promotions"][0][newer]
    del old["comparisons"][0]["min_outcomes"]
    place.write_text(json.dumps(old))
    assert read_registry(catalog.registry()).promotions[0].window is None
    assert [version.state for version in describe_versions(catalog)] == ["refused", "champion"]


def test_states_follow_comparisons_and_promotions(catalog: Catalog) -> None:
    add(catalog, "v1", "v2", "v3", "v4", "v5")
    make_champion(catalog, "v1")
    make_champion(catalog, "v3", "back-test", at=2)
    registry = read_registry(catalog.registry()).model_copy(update={"candidate": "v5"})
    keep(catalog, registry.with_comparison(compared("v2", "refused"), hours(1)))
    states = {version.version: version.state for version in describe_versions(catalog)}
    assert states == {
        "v5": "candidate",
        "v4": "superseded",
        "v3": "champion",
        "v2": "refused",
        "v1": "former",
    }
    assert list(states) == ["v5", "v4", "v3", "v2", "v1"]


def test_refusal_holds_until_a_manual_promotion(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry()).model_copy(update={"candidate": "v2"})
    keep(catalog, registry.with_comparison(compared("v2", "refused"), hours(1)))
    assert read_registry(catalog.registry()).state("v2", "v1") == "refused"
    make_champion(catalog, "v2", "manual", at=2)
    assert read_registry(catalog.registry()).state("v2", "v2") == "champion"
    make_champion(catalog, "v1", "roll back", at=3)
    assert read_registry(catalog.registry()).state("v2", "v1") == "former"
    assert read_registry(catalog.registry()).was_rolled_back("v2")
    make_champion(catalog, "v2", "manual", at=4)
    assert not read_registry(catalog.registry()).was_rolled_back("v2")


def test_promoting_comparison_is_the_one_that_promoted_the_champion(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    tried: list[tuple[Decision, float, int]] = [("refused", 0.0, 1), ("accepted", 0.02, 2)]
    for decision, loss, at in tried:
        registry = read_registry(catalog.registry())
        keep(catalog, registry.with_comparison(compared("v2", decision, loss=loss), hours(at)))
    make_champion(catalog, "v2", "back-test", at=2)
    # Another run began to compare it on other terms before it became champion.
    registry = read_registry(catalog.registry())
    keep(catalog, registry.with_comparison(compared("v2", "refused", loss=0.01), hours(3)))
    behind = read_registry(catalog.registry()).promoting_comparison("v2")
    assert behind is not None
    assert (behind.decision, behind.max_loss) == ("accepted", 0.02)
