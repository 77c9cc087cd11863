"""The list of versions: back-tests, lineage, damaged manifests."""

import json
import os
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.storage import write_text
from churnlib.versions.listing import describe_versions
from churnlib.versions.manifest import MANIFEST
from churnlib.versions.registry import read_registry
from tests.churnlib.versions.samples import add, compared, hours, keep, make_champion


def test_listing_has_back_tests_and_lineage(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry())
    comparison = compared("v2", "accepted")
    keep(catalog, registry.with_comparison(comparison, hours(1)))
    make_champion(catalog, "v2", "back-test", at=2, comparison=comparison)
    second, first = describe_versions(catalog)
    assert second.back_test is not None
    assert first.back_test is not None
    assert (second.back_test.value, first.back_test.value) == (0.8, 0.75)
    assert second.lineage == (
        "2025-01-01: compared with v1 on 2024-05-01 to 2024-07-31 as of 2025-01-01: accepted, it "
        "is better by at least 0.0100",
        "2025-01-01: champion replacing v1, by back-test on 2024-05-01 to 2024-07-31 as of "
        "2025-01-01: for the test",
    )
    assert first.lineage[-1] == "2025-01-01: replaced by v2"
    assert second.algorithm == "unknown"  # The sample's manifest has none.


def test_listing_keeps_back_tests_of_candidate_and_champion_apart(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    registry = read_registry(catalog.registry()).model_copy(update={"candidate": "v2"})
    keep(catalog, registry.with_comparison(compared("v2", "refused"), hours(1)))
    write_report(catalog, "v2", "2025-01-01", 0.8)
    refused, standing = describe_versions(catalog)
    assert (refused.state, standing.state) == ("refused", "champion")
    assert refused.back_test is not None
    assert standing.back_test is not None
    assert (refused.back_test.value, standing.back_test.value) == (0.8, 0.75)
    assert read_registry(catalog.registry()).promoting_comparison("v1") is None


def test_listing_has_the_latest_back_test_from_comparisons_and_reports(
    catalog: Catalog,
) -> None:
    add(catalog, "v1", "v2")
    make_champion(catalog, "v1")
    comparison = compared("v2", "accepted")
    keep(catalog, read_registry(catalog.registry()).with_comparison(comparison, hours(1)))
    make_champion(catalog, "v2", "back-test", at=2, comparison=comparison)
    for as_of, expected in (("2025-03-01", 0.7), ("2025-01-01", 0.8), ("2024-12-01", 0.8)):
        write_report(catalog, "v2", as_of, 0.7)
        second, first = describe_versions(catalog)
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


def test_listing_keeps_the_back_test_of_a_version_when_another_is_tested(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    write_report(catalog, "v1", "2025-01-01", 0.8)
    kept = f"{catalog.model('v1').uri}/reports/score_report.json"
    write_text(Path(catalog.report("score_report").uri).read_text(), kept)
    write_report(catalog, "v2", "2025-02-01", 0.7)
    second, first = describe_versions(catalog)
    assert second.back_test is not None
    assert first.back_test is not None
    assert (second.back_test.value, first.back_test.value) == (0.7, 0.8)


def test_listing_takes_the_time_of_creation_from_the_name(catalog: Catalog) -> None:
    name = "20250103T020512345Z"
    add(catalog, name, "v1")
    file = Path(catalog.model(name).uri, MANIFEST)
    os.utime(file, (0, 0))
    times = {version.version: version.made for version in describe_versions(catalog)}
    assert times == {name: "2025-01-03T02:05:12+00:00", "v1": None}


def test_listing_includes_a_renamed_copy_and_says_what_it_is(catalog: Catalog) -> None:
    add(catalog, "v1")
    copytree(catalog.model("v1").uri, catalog.model("v2").uri)
    copy, original = describe_versions(catalog)
    assert original.damage is None
    assert copy.damage is not None
    assert "is that of version v1 of hawk" in copy.damage


def test_listing_includes_versions_with_a_damaged_manifest(catalog: Catalog) -> None:
    add(catalog, "v1", "v2")
    Path(catalog.model("v1").uri, MANIFEST).write_text("{")
    second, first = describe_versions(catalog)
    assert second.damage is None
    assert first.damage is not None
    assert "manifest.json is damaged" in first.damage


@pytest.mark.parametrize("metrics", [{}, {"validation": {}}, {"validation": {"general": {}}}])
def test_listing_includes_versions_without_metrics(
    metrics: dict[str, Any], catalog: Catalog
) -> None:
    add(catalog, "v1")
    file = Path(catalog.model("v1").uri, MANIFEST)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"metrics": metrics}))
    (version,) = describe_versions(catalog)
    assert (version.damage, version.roc_auc) == (None, None)
    assert version.window is not None


HOSTILE: tuple[Any, ...] = ("x", "\x1b[2J", [], {}, True, 10**30, ["x", "y"])


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_listing_leaves_out_what_is_of_another_type(value: Any, catalog: Catalog) -> None:
    add(catalog, "v1")
    file = Path(catalog.model("v1").uri, MANIFEST)
    manifest = json.loads(file.read_text())
    manifest["settings"]["train"] = {"pipeline": value}
    manifest["metrics"] = {"validation": {"general": {"roc_auc": value, "roc_auc_ci": value}}}
    file.write_text(json.dumps(manifest))
    write_report(catalog, "v1", value, value)
    (version,) = describe_versions(catalog)
    assert (version.damage, version.algorithm, version.roc_auc_ci) == (None, "unknown", None)
    assert version.back_test is not None
    for number in (version.roc_auc, version.back_test.value):
        assert number is None or number == value
        assert isinstance(number, int | float | None)
