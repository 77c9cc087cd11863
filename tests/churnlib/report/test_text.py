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
from churnlib.report.content import GROUPS, TITLES, Report
from churnlib.report.html import to_html
from churnlib.report.tables import MAX_FEATURES
from churnlib.report.text import WIDTH, to_text, verdict_of
from churnlib.report.write import write_report
from tests.churnlib.report.samples import IMPORTANCE, in_training, make_report, make_scored

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


@pytest.mark.parametrize(
    ("last", "name"),
    [(date(2024, 6, 30), "2024-06"), (date(2024, 7, 31), "2024-06 (2024-06-01 to 2024-07-31)")],
)
def test_title_of_a_batch_has_its_month_and_further_days(last: date, name: str) -> None:
    window = (date(2024, 6, 1), last)
    report = make_report(make_scored(11), name="batch_score_report", window=window)
    assert to_text(report).startswith(f"Batch score: game1, {name}\n")
    assert f"<title>Batch score: game1, {name}</title>" in to_html(report)


def test_verdict_of_a_text_is_what_comes_before_its_sections() -> None:
    text = to_text(make_report(make_scored(200)))
    head, verdict = verdict_of(text).split("\n\n")
    assert head == "\n".join(text.splitlines()[:3])
    assert "Compared with chance" in verdict
    assert text.removeprefix(verdict_of(text)).lstrip("\n").startswith("METRICS\n")


REPORT = Report(
    name="score_report",
    game="hawk",
    as_of=date(2025, 1, 1),
    window=(date(2024, 5, 1), date(2024, 7, 31)),
    horizon_months=6,
    model_version="20250101T000000000Z",
    groups=scores([0, 1, 0, 1, 1, None]),
)


def metrics(text: str) -> dict[str, list[str]]:
    """The lines of the first table, name and cells."""
    lines = text[text.index("\nmetric ") + 1 :].split("\n\n")[0].splitlines()
    split = (re.split(r" {2,}", line) for line in lines[1:])
    return {name: cells for name, *cells in split}


def walk(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from walk(inner)


@pytest.mark.parametrize("name", TITLES)
def test_text_begins_with_title_model_and_subscriptions(name: str) -> None:
    assert replace(REPORT, name=name).title.startswith(f"{TITLES[name]}: hawk")
    assert to_text(replace(REPORT, name=name)).splitlines()[:3] == [
        replace(REPORT, name=name).title,
        "model 20250101T000000000Z, as of 2025-01-01",
        "subscriptions started 2024-05-01 to 2024-07-31, churn within 6 months",
    ]


def test_every_metric_is_in_its_column() -> None:
    shown = metrics(to_text(REPORT))
    assert shown["scored"] == ["5", "5"]
    assert shown["churned"] == ["3", "3"]
    general = REPORT.groups["general"]
    low, high = general["intervals"]["base_rate"]
    assert shown["base rate"] == 2 * [f"60.0% ({low:.1%} to {high:.1%})"]
    low, high = general["roc_auc_ci"]
    assert shown["ROC AUC"][0] == f"{general['roc_auc']:.3f} ({low:.3f} to {high:.3f})"
    assert {metric.name for metric in metrics_in("groups") if not metric.needs} <= set(shown)


def test_undefined_metrics_have_a_mark_and_a_reason() -> None:
    groups = {
        "general": scores([0, 0, None])["general"],
        "new_characters": scores([None] * 12)["new_characters"],
    }
    text = to_text(replace(REPORT, groups=groups))
    assert metrics(text)["ROC AUC"] == ["-", "-"]
    assert metrics(text)["base rate"] == ["0.0% (0.0% to 100.0%)", "-"]
    words = " ".join(text.split())
    for group, reason in (
        ("all subscriptions", "none of the 2 subscriptions churned"),
        ("new characters", "the label is not yet available for any of the 12 subscriptions"),
    ):
        assert f"{group}: metrics or intervals are missing, because {reason}." in words


def test_group_without_subscriptions_has_a_column() -> None:
    shown = metrics(to_text(replace(REPORT, groups=scores([0, 1], first=False))))
    assert shown["scored"] == ["2", "0"]
    assert shown["Brier score"][1] == "-"


LONG = "a_very_long_name_without_any_break_" * 2


@pytest.mark.parametrize(
    "report",
    [
        make_report(make_scored()),
        make_report(make_scored(), importance=[{**IMPORTANCE[0], "feature": LONG}]),
        make_report(
            make_scored().with_columns(territory=pl.lit(LONG) + pl.col("territory")),
            quarantined=dict.fromkeys(("character_data", "sub_data"), 10**7),
            odd={"sub_data": {"subscription before its character's creation": 10**7}},
        ),
        in_training(make_scored()),
    ],
    ids=["back-test", "feature", "segments and data", "training"],
)
def test_lines_fit_a_terminal(report: Report) -> None:
    assert max(len(line) for line in to_text(report).splitlines()) <= WIDTH


def test_intervals_that_do_not_fit_are_below_their_values() -> None:
    lines = to_text(make_report(make_scored())).splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("returning "))
    segment = make_report(make_scored()).segments["characters"][1]
    low, high = segment["intervals"]["roc_auc"]
    assert f" {segment['roc_auc']:.3f} " in lines[place]
    assert f" {low:.3f}-{high:.3f} " in lines[place + 1]


def test_validation_comes_before_the_training_rows() -> None:
    report = replace(REPORT, name="in_sample_report", validation=scores([0, 1, 1]))
    text = to_text(report)
    validation, in_sample = text.index("On the validation months"), text.index("In sample: on")
    assert validation < in_sample
    assert metrics(text)["scored"] == ["3", "3"]
    assert metrics(text[in_sample:])["scored"] == ["5", "5"]


def test_assessment_comes_before_warnings_and_metrics() -> None:
    lines = to_text(make_report(make_scored(), warnings=("labels overlap",))).splitlines()
    assert (
        lines[4] == "Better than chance and than a logistic regression. Contact the riskiest 71%."
    )
    warning = lines.index("WARNING: labels overlap")
    assert any("Calibration error" in line for line in lines[:warning])
    assert warning < lines.index("METRICS")


def test_most_important_features_are_listed_and_the_others_counted() -> None:
    many = [{**IMPORTANCE[0], "feature": f"feature_{n}"} for n in range(12)]
    text = to_text(make_report(make_scored(), importance=many))
    assert text.count("\nfeature_") == MAX_FEATURES == 10
    assert "\nand 2 more\n" in text


def test_text_is_plain_ascii() -> None:
    assert to_text(make_report(make_scored())).isascii()


def test_facts_are_aligned_and_without_python_syntax() -> None:
    facts = {"unknown categories": {"race": 2}, "seed": 7}
    assert to_text(replace(REPORT, facts=facts)).splitlines()[-2:] == [
        "unknown categories  race: 2",
        "seed                7",
    ]


def test_data_warnings_are_counted() -> None:
    report = replace(
        REPORT,
        quarantined={"sub_data": 1, "sub_miss": 0, "character_data": 1200},
        odd={"sub_data": {"negative price": 1}, "sub_miss": {"miss before its subscription": 30}},
    )
    assert (
        "Data warnings\n"
        "  sub_data: warning quarantined rows; rows 1\n"
        "  character_data: warning quarantined rows; rows 1,200\n"
        "  sub_data: warning negative price; rows 1\n"
        "  sub_miss: warning miss before its subscription; rows 30\n"
    ) in to_text(report)


# JSON


def test_groups_are_at_the_top_level_of_the_json() -> None:
    plain = json.loads(json.dumps(REPORT.to_json()))
    assert plain["report"] == "score_report"
    assert plain["as_of"] == "2025-01-01"
    assert plain["window"] == {"start": "2024-05-01", "end": "2024-07-31"}
    for name in GROUPS:
        assert plain[name]["n"] == 5
        assert len(plain[name]["roc_auc_ci"]) == 2
        assert plain[name]["reason"].startswith("too few churners for intervals of")
    assert plain["validation"] is None
    assert plain["data"] == {"quarantined": None, "odd": None}
    assert plain["warnings"] == []


def test_validation_data_and_warnings_are_in_the_json() -> None:
    report = replace(
        REPORT,
        validation=scores([None]),
        quarantined={"sub_data": 2},
        odd={"sub_data": {"negative price": 1}},
        warnings=("labels overlap",),
        facts={"seed": 7},
    )
    plain = json.loads(json.dumps(report.to_json()))
    assert plain["validation"]["general"]["roc_auc"] is None
    assert "not yet available for the only subscription" in plain["validation"]["general"]["reason"]
    assert plain["data"] == {"quarantined": {"sub_data": 2}, "odd": {"sub_data": {
        "negative price": 1}}}  # fmt: skip
    assert plain["warnings"] == ["labels overlap"]
    assert plain["facts"] == {"seed": 7}


def test_every_report_is_strict_json() -> None:
    cases: list[list[int | None]] = [[], [None], [0], [1, 1], [0, 1]]
    for outcomes in cases:
        plain = replace(REPORT, groups=scores(outcomes)).to_json()
        assert json.dumps(plain, allow_nan=False)
        assert all(value == value for value in walk(plain))


def test_formats_are_written_side_by_side_and_reproducibly(tmp_path: Path) -> None:
    target = Catalog(str(tmp_path), "hawk").batch_report(date(2024, 5, 1))
    scored = make_scored()
    report = make_report(scored, name="batch_score_report")
    written = write_report(report, target, scored)
    names = [Path(ref.uri).name for ref in written]
    assert names == [f"batch_score_report_2024-05.{end}" for end in ("json", "txt", "html")]
    assert {(ref.name, ref.game) for ref in written} == {("batch_score_report", "hawk")}
    assert all(ref.fingerprint == fingerprint(ref.uri) for ref in written)
    assert json.loads(Path(written[0].uri).read_text())["general"]["n"] == len(scored)
    assert Path(written[1].uri).read_text() == to_text(report)
    assert Path(written[2].uri).read_text(encoding="utf-8") == to_html(report, scored)
    assert write_report(report, target, scored) == written


def keys(value: Any, path: str = "") -> set[str]:
    """Every path of names in plain data."""
    if isinstance(value, Mapping):
        below = (keys(inner, f"{path}.{name}") for name, inner in value.items())
        return {f"{path}.{name}" for name in value}.union(*below)
    return set()


@pytest.mark.parametrize("outcomes", [[0] * 12, [1] * 12, [None] * 12, []])
def test_json_always_has_the_same_keys(outcomes: list[int | None]) -> None:
    whole = make_scored(12)
    complete = keys(make_report(whole).to_json())
    rows = whole.head(len(outcomes)).with_columns(sub_churn=pl.Series(outcomes, dtype=pl.Int8))
    bare = replace(
        make_report(rows), comparison=None, validation=None, importance=(), importance_reason="few"
    )
    always = keys(bare.to_json())
    assert always >= {".validation", ".comparison", ".campaign.hold_out", ".importance_reason"}
    # Parts that are null have no keys.
    whole_parts = re.compile(
        r"\.comparison\.|\.baselines\.\w+\.|\.campaign\.(at_threshold|best|everybody)\."
    )
    assert {key for key in complete ^ always if not whole_parts.search(key)} == set()


def test_scores_have_a_key_for_every_metric() -> None:
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
