"""Reports for terminals and for programs."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.storage import fingerprint
from churnlib.metrics.definitions import compared_metrics, metrics_in
from churnlib.metrics.evaluate import evaluate
from churnlib.report.content import GROUPS, Report
from churnlib.report.text import FIGURES, OPTIONAL, TITLES, to_text
from churnlib.report.write import write_report
from tests.churnlib.report.samples import IMPORTANCE, make_report, make_scored

Groups = Mapping[str, Mapping[str, Any]]


def scores(outcomes: list[int | None], *, first: bool = True, **more: float) -> Groups:
    frame = pl.DataFrame(
        {
            "sub_id": range(len(outcomes)),
            "is_first_sub": [first] * len(outcomes),
            "sub_churn": outcomes,
            "churn_probability": [n / max(len(outcomes), 1) for n in range(len(outcomes))],
        },
        schema_overrides={"sub_churn": pl.Int8, "is_first_sub": pl.Boolean},
    )
    return {name: group.to_json() for name, group in evaluate(frame, **more).items()}


REPORT = Report(
    name="score_report",
    game="hawk",
    as_of=date(2025, 1, 1),
    window=(date(2024, 5, 1), date(2024, 7, 31)),
    horizon_months=6,
    model_version="20250101T000000000Z",
    groups=scores([0, 1, 0, 1, 1, None]),
)


def figures(text: str) -> dict[str, list[str]]:
    """The lines of the first table, label and cells."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        for _, label, _ in FIGURES:
            if line.startswith(f"{label} ") and label not in found:
                found[label] = [cell.strip() for cell in (line[20:50], line[50:])]
    return found


def walk(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from walk(inner)


@pytest.mark.parametrize("name", TITLES)
def test_the_head_says_what_when_and_whose(name: str) -> None:
    assert to_text(replace(REPORT, name=name)).splitlines()[:3] == [
        f"{TITLES[name]}: hawk",
        "model 20250101T000000000Z, as of 2025-01-01",
        "subscriptions begun 2024-05-01 to 2024-07-31, churn within 6 months",
    ]


def test_every_figure_stands_in_its_column() -> None:
    found = figures(to_text(REPORT))
    assert list(found) == [label for key, label, _ in FIGURES if key not in OPTIONAL]
    assert found["scored"] == ["5", "5"]
    assert found["churned"] == ["3", "3"]
    assert found["not yet known"] == ["1", "1"]
    general = REPORT.groups["general"]
    low, high = general["intervals"]["base_rate"]
    assert found["base rate"] == 2 * [f"60.0% ({low:.1%} to {high:.1%})"]
    low, high = general["roc_auc_ci"]
    assert found["ROC AUC"][0] == f"{general['roc_auc']:.4f} ({low:.4f} to {high:.4f})"


def test_a_threshold_is_spoken_of_where_there_is_one() -> None:
    assert "threshold" not in to_text(REPORT)
    groups = scores([0, 1, 0, 1, 1, None], threshold=0.5)
    found = figures(to_text(replace(REPORT, groups=groups)))
    assert found["threshold"] == ["0.5000", "0.5000"]
    assert found["  precision there"][0].startswith("100.0% (")
    assert found["  recall there"][0].startswith("66.7% (")


def test_what_is_not_defined_is_said_with_its_reason() -> None:
    groups = {
        "general": scores([0, 0, None])["general"],
        "new_characters": scores([None] * 12)["new_characters"],
    }
    text = to_text(replace(REPORT, groups=groups))
    assert figures(text)["ROC AUC"] == ["not defined", "not defined"]
    assert figures(text)["base rate"] == ["0.0% (0.0% to 100.0%)", "not defined"]
    words = " ".join(text.split())
    assert (
        "all subscriptions: figures or intervals are missing, because none of the 2 subscriptions "
        "churned new characters: figures or intervals are missing, because no subscription has a "
        "known outcome yet: 12 are not old enough" in words
    )


def test_a_group_without_anyone_is_a_column_nevertheless() -> None:
    found = figures(to_text(replace(REPORT, groups=scores([0, 1], first=False))))
    assert found["scored"] == ["2", "0"]
    assert found["Brier score"][1] == "not defined"


def test_lines_fit_a_terminal() -> None:
    large = {**REPORT.groups["general"], "n": 10**9, "positives": 10**9, "immature": 10**9}
    nothing = scores([None] * 123456)["general"]
    tables = ("character_data", "character_currency", "sub_data", "sub_miss")
    report = replace(
        REPORT,
        name="in_sample_report",
        groups={"general": large, "new_characters": nothing},
        validation={"general": nothing, "new_characters": large},
        quarantined=dict.fromkeys(tables, 10**7),
        odd={"sub_data": {"subscription before its character's creation": 10**7}},
    )
    assert max(len(line) for line in to_text(report).splitlines()) <= 80


def test_currency_is_spoken_of_where_it_was_read() -> None:
    assert "without currency" not in to_text(REPORT)
    groups = {name: {**group, "without_currency": 0} for name, group in REPORT.groups.items()}
    found = figures(to_text(replace(REPORT, groups=groups)))
    assert found["without currency"] == ["0", "0"]


def test_the_validation_comes_before_the_training_rows() -> None:
    report = replace(REPORT, name="in_sample_report", validation=scores([0, 1, 1]))
    text = to_text(report)
    validation, in_sample = text.index("validation (the last months"), text.index("in sample (the")
    assert validation < in_sample
    assert figures(text[:in_sample])["scored"] == ["3", "3"]
    assert figures(text[in_sample:])["scored"] == ["5", "5"]


def test_the_verdict_comes_first_then_warnings_then_figures() -> None:
    lines = to_text(make_report(make_scored(), warnings=("it flatters",))).splitlines()
    assert lines[4] == (
        "Better than chance, and than a logistic regression. Contact the riskiest 71%."
    )
    warning = lines.index("WARNING: it flatters")
    assert any("Calibration error" in line for line in lines[:warning])
    assert not any(line.startswith("ROC AUC ") for line in lines[:warning])


def test_importance_and_settings_that_differ_are_told() -> None:
    many = [{**IMPORTANCE[0], "feature": f"feature_{n}"} for n in range(12)]
    text = to_text(make_report(make_scored(), importance=many))
    assert text.count("+0.1200 (+0.1000 to +0.1500)") == 10
    assert "  and 2 more\n" in text
    assert "that differ from base.toml\n  train.seed = 7 (base: null)\n" in text


def test_signs_are_those_of_every_terminal() -> None:
    assert to_text(make_report(make_scored())).isascii()


def test_facts_stand_apart_from_their_names() -> None:
    text = to_text(replace(REPORT, facts={"unknown categories": {"race": 2}, "seed": 7}))
    assert text.splitlines()[-2:] == ["unknown categories  {'race': 2}", "seed                7"]


def test_faults_in_the_data_are_counted() -> None:
    report = replace(
        REPORT,
        quarantined={"sub_data": 1, "sub_miss": 0, "character_data": 1200},
        odd={"sub_data": {"negative price": 1}, "sub_miss": {"miss before its subscription": 30}},
    )
    text = to_text(report)
    assert text.splitlines()[-5:] == [
        "data",
        "  sub_data: 1 row set apart as faulty",
        "  character_data: 1,200 rows set apart as faulty",
        "  sub_data: 1 row: negative price",
        "  sub_miss: 30 rows: miss before its subscription",
    ]
    clean = to_text(replace(REPORT, quarantined={"sub_data": 0}, odd={"sub_data": {}}))
    assert clean == to_text(replace(REPORT, quarantined={}, odd={}))
    assert "data" not in clean.splitlines()


def test_data_that_nobody_looked_at_is_not_said_to_be_clean() -> None:
    assert "data\n  not looked at: faulty rows and odd facts\n" in to_text(REPORT)
    assert "data\n  not looked at: odd facts\n" in to_text(replace(REPORT, quarantined={}))


# For programs


def test_groups_stand_at_the_top_of_the_json() -> None:
    plain = json.loads(json.dumps(REPORT.to_json()))
    assert plain["report"] == "score_report"
    assert plain["as_of"] == "2025-01-01"
    assert plain["window"] == {"start": "2024-05-01", "end": "2024-07-31"}
    for name in GROUPS:
        assert plain[name]["n"] == 5
        assert len(plain[name]["roc_auc_ci"]) == 2
        assert plain[name]["reason"] is None
    assert plain["validation"] is None
    assert plain["data"] == {"quarantined": None, "odd": None}
    assert plain["warnings"] == []


def test_validation_faults_and_warnings_are_in_the_json() -> None:
    report = replace(
        REPORT,
        validation=scores([None]),
        quarantined={"sub_data": 2},
        odd={"sub_data": {"negative price": 1}},
        warnings=("it flatters",),
        facts={"seed": 7},
    )
    plain = json.loads(json.dumps(report.to_json()))
    assert plain["validation"]["general"]["roc_auc"] is None
    assert "1 is not old enough" in plain["validation"]["general"]["reason"]
    assert plain["data"] == {"quarantined": {"sub_data": 2}, "odd": {"sub_data": {
        "negative price": 1}}}  # fmt: skip
    assert plain["warnings"] == ["it flatters"]
    assert plain["facts"] == {"seed": 7}


def test_every_report_is_strict_json() -> None:
    cases: list[list[int | None]] = [[], [None], [0], [1, 1], [0, 1]]
    for outcomes in cases:
        plain = replace(REPORT, groups=scores(outcomes)).to_json()
        assert json.dumps(plain, allow_nan=False)
        assert all(value == value for value in walk(plain))


def test_all_formats_lie_side_by_side_and_are_the_same_again(tmp_path: Path) -> None:
    target = Catalog(str(tmp_path), "hawk").report("batch_score_report", date(2024, 5, 1))
    report = replace(REPORT, name="batch_score_report")
    written = write_report(report, target)
    names = [Path(ref.uri).name for ref in written]
    assert names == [f"batch_score_report_2024-05.{end}" for end in ("json", "txt", "html")]
    assert {(ref.name, ref.game) for ref in written} == {("batch_score_report", "hawk")}
    assert all(ref.fingerprint == fingerprint(ref.uri) for ref in written)
    assert json.loads(Path(written[0].uri).read_text())["general"]["n"] == 5
    assert Path(written[1].uri).read_text() == to_text(report)
    assert write_report(report, target) == written


def keys(value: Any, path: str = "") -> set[str]:
    """Every path of names in plain data."""
    if isinstance(value, Mapping):
        below = (keys(inner, f"{path}.{name}") for name, inner in value.items())
        return {f"{path}.{name}" for name in value}.union(*below)
    return set()


@pytest.mark.parametrize("outcomes", [[0] * 12, [1] * 12, [None] * 12, []])
def test_json_has_the_same_keys_whatever_is_known(outcomes: list[int | None]) -> None:
    whole = make_scored(12)
    told = keys(make_report(whole).to_json())
    rows = whole.head(len(outcomes)).with_columns(sub_churn=pl.Series(outcomes, dtype=pl.Int8))
    bare = replace(
        make_report(rows), comparison=None, validation=None, importance=(), importance_reason="few"
    )
    found = keys(bare.to_json())
    assert found >= {".validation", ".comparison", ".campaign.hold_out", ".importance_reason"}
    # Parts that are null as a whole tell nothing more.
    whole_parts = re.compile(
        r"\.comparison\.|\.baselines\.\w+\.|\.campaign\.(at_threshold|best|everybody)\."
    )
    assert {key for key in told ^ found if not whole_parts.search(key)} == set()


def test_figures_of_groups_have_all_their_keys() -> None:
    cases: list[list[int | None]] = [[], [None], [0], [1, 1], [0, 1]]
    for outcomes in cases:
        for group in scores(outcomes).values():
            assert group["intervals"].keys() == {m.key for m in metrics_in("groups")}
            assert group["baselines"].keys() == {"base_rate", "logistic_regression"}
    plain = scores([0, 1, 0, 1], base_rate=0.3)["general"]
    assert plain["baselines"]["base_rate"]["intervals"].keys() == {
        m.key for m in metrics_in("baselines")
    }
    assert plain["baselines"]["base_rate"]["differences"].keys() == {
        m.key for m in compared_metrics()
    }
