"""The registry: candidate, states, comparisons."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from churnlib.errors import ModelError, UnreadableModelError
from churnlib.io.catalog import Catalog
from churnlib.versions.champion import set_champion
from churnlib.versions.decision import Decision
from churnlib.versions.folder import list_versions
from churnlib.versions.gate import Comparison
from churnlib.versions.listing import describe_versions
from churnlib.versions.model_state import ModelState
from churnlib.versions.registry import By, Promotion, Registry, read_registry
from tests.churnlib.versions.samples import (
    NOW,
    add,
    compared,
    hours,
    keep,
    make_champion,
    make_evidence,
)


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
    for newer in ("min_outcomes", "anchor", "anchor_difference", "anchor_interval", "look"):
        del old["comparisons"][0][newer]
    del old["comparisons"][0]["configuration"], old["evidence"]
    place.write_text(json.dumps(old))
    assert read_registry(catalog.registry()).promotions[0].window is None
    assert [version.state for version in describe_versions(catalog)] == ["refused", "champion"]


def test_registry_keeps_the_last_back_test_of_each_version(catalog: Catalog) -> None:
    first, second = make_evidence(), make_evidence(positives=3)
    registry = Registry().with_evidence("v1", first).with_evidence("v2", first)
    keep(catalog, registry.with_evidence("v1", second))
    assert read_registry(catalog.registry()).evidence == {"v1": second, "v2": first}


def look(candidate: str, cohort: str, **changes: Any) -> Comparison:
    made = {"configuration": "a", "look": 1, **changes}
    return compared(candidate, "undecided", cohort=cohort).model_copy(update=made)


def test_looks_are_counted_by_configuration_and_overlapping_subscriptions() -> None:
    past = (date(2023, 11, 1), date(2024, 4, 30))
    registry = Registry()
    for comparison in (
        look("v2", "c1"),
        look("v3", "c1"),  # A new seed.
        look("v3", "c1"),  # The same comparison again.
        look("v4", "c1", configuration="b"),
        look("v5", "c0", window=past),
        look("v6", "c1", look=None),  # Too few outcomes to decide anything.
        compared("v7", "undecided"),  # Of an earlier version.
    ):
        registry = registry.with_comparison(comparison, NOW)
    may_to_july = (date(2024, 5, 1), date(2024, 7, 31))
    assert registry.looks("a", may_to_july, candidate="v8", cohort="c1") == 2
    assert registry.looks("a", may_to_july, candidate="v3", cohort="c1") == 1
    assert registry.looks("a", may_to_july, candidate="v3", cohort="c2") == 2
    assert registry.looks("b", may_to_july, candidate="v8", cohort="c1") == 1
    assert registry.looks("c", may_to_july, candidate="v8", cohort="c1") == 0
    longer = (date(2024, 4, 1), date(2024, 5, 31))
    assert registry.looks("a", longer, candidate="v8", cohort="c3") == 3


def test_waiting_candidate_has_earlier_comparisons() -> None:
    registry = Registry()
    first, other = compared("v2", "undecided"), compared("v2", "undecided", champion="v0")
    for comparison in (first, other, compared("v3", "undecided")):
        registry = registry.with_comparison(comparison, NOW)
    (found,) = registry.earlier_comparisons("v2", "v1")
    assert found == registry.comparisons[0]
    assert registry.earlier_comparisons("v2", "v1", "c1") == ()


def promoted(registry: Registry, comparison: Comparison, by: By = "back-test") -> Registry:
    at = hours(len(registry.promotions) + 1)
    registry = registry.with_comparison(comparison, at)
    promotion = Promotion(
        version=comparison.candidate, previous=comparison.champion, when=at, by=by, why=""
    )
    return registry.model_copy(update={"promotions": (*registry.promotions, promotion)})


def accepted(candidate: str, champion: str, as_of: date, **changes: Any) -> Comparison:
    made = {"as_of": as_of, "interval": (-0.01, 0.01), **changes}
    return compared(candidate, "accepted", champion).model_copy(update=made)


def test_anchor_is_the_first_champion_of_the_last_year_until_a_better_one() -> None:
    registry = Registry()
    assert registry.anchor(date(2025, 1, 1)) is None
    for number in range(1, 4):  # Each as good as the one before.
        as_of = date(2024, 3 * number, 1)
        registry = promoted(registry, accepted(f"v{number}", f"v{number - 1}", as_of))
    assert registry.anchor(date(2024, 9, 1)) == "v0"
    assert registry.anchor(date(2025, 3, 1)) == "v0"
    assert registry.anchor(date(2025, 4, 1)) == "v1"  # v0 was replaced 13 months ago.
    assert registry.anchor(date(2026, 1, 1)) is None
    better = accepted("v4", "v3", date(2024, 12, 1), interval=(0.01, 0.03), anchor="v0")
    for anchor_interval, expected in (((0.001, 0.02), None), ((-0.001, 0.02), "v0")):
        update = {"anchor_interval": anchor_interval}
        later = promoted(registry, better.model_copy(update=update))
        assert later.anchor(date(2025, 1, 1)) == expected


@pytest.mark.parametrize("by", ["manual", "roll back", "training"])
def test_promotion_without_a_comparison_starts_a_new_anchor(by: By) -> None:
    registry = promoted(Registry(), accepted("v1", "v0", date(2024, 3, 1)))
    registry = promoted(registry, accepted("v2", "v1", date(2024, 6, 1)), by)
    assert registry.anchor(date(2024, 7, 1)) is None
    registry = promoted(registry, accepted("v3", "v2", date(2024, 9, 1)))
    assert registry.anchor(date(2024, 10, 1)) == "v2"


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


def test_time_without_a_zone_is_refused(catalog: Catalog) -> None:
    """It could not be compared with the others."""
    make_champion(catalog, "v1")
    file = Path(catalog.registry().uri)
    content = json.loads(file.read_text())
    content["promotions"][0]["when"] = "2025-01-01T00:00:00"
    file.write_text(json.dumps(content))
    with pytest.raises(UnreadableModelError, match=r"registry\.json is damaged: .*timezone"):
        read_registry(catalog.registry())
