"""What reports call their rows: subscriptions, or at the monthly grain subscriptions and months."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import get_args

import polars as pl
import pytest

from churnlib.metrics.segments import breakdown
from churnlib.report.content import Report
from churnlib.report.html import to_html
from churnlib.report.markdown import to_markdown
from churnlib.report.text import to_text
from churnlib.settings import CohortSettings, Grain, rows_in, words_of
from churnlib.settings.row_words import RUNNING, WORDS
from tests.churnlib.report.samples import groups_of, make_report, make_scored

MONTHS = (date(2024, 5, 1), date(2024, 7, 31))
JUNE = (date(2024, 6, 1), date(2024, 6, 30))


def by_month(window: tuple[date, date] = MONTHS) -> pl.DataFrame:
    """Predictions of 130 subscriptions on the first day of each month of a window."""
    scored = make_scored(390).with_columns(sub_id=pl.col("sub_id") // 3, char_id=pl.col("sub_id"))
    return scored.with_columns(
        day="sub_start_date",
        sub_start_date=pl.lit(date(2024, 1, 15)),
        tenure_months=(pl.col("sub_start_date").dt.month() - 1).cast(pl.Int32),
        months_left=(13 - pl.col("sub_start_date").dt.month()).cast(pl.Int32),
    ).filter(pl.col("day").is_between(*window))


def monthly(window: tuple[date, date] = MONTHS) -> tuple[Report, pl.DataFrame]:
    scored = by_month(window)
    report = make_report(
        scored, **breakdown(scored, ("territory",)), groups=groups_of(scored), window=window
    )
    if window != MONTHS:
        report = replace(report, comparison=None)
    return Report.from_json(report.to_json() | {"grain": "monthly"}), scored


def rendered(report: Report, scored: pl.DataFrame) -> Mapping[str, str]:
    return {
        "text": " ".join(to_text(report).split()),
        "markdown": to_markdown(report).replace("\\", ""),
        "html": to_html(report, scored),
    }


def test_every_grain_has_its_words() -> None:
    assert set(WORDS) == set(get_args(Grain))
    assert {grain: CohortSettings(grain=grain).row_name for grain in WORDS} == {
        "start": "subscription",
        "monthly": "subscription-month",
    }


def test_rows_of_one_month_are_subscriptions() -> None:
    assert words_of("monthly", *JUNE) is RUNNING
    assert words_of("monthly", *MONTHS) is WORDS["monthly"]
    assert words_of("start", *JUNE) is WORDS["start"]


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ({}, "subscriptions started 2024-06-01 to 2024-06-30"),
        ({"cohort": {"grain": "start"}}, "subscriptions started 2024-06-01 to 2024-06-30"),
        ({"cohort": {"grain": "monthly"}}, "subscriptions running on 2024-06-01"),
    ],
)
def test_settings_of_a_manifest_tell_the_rows(settings: dict[str, object], rows: str) -> None:
    assert rows_in(settings, "2024-06-01", "2024-06-30") == rows


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_report_by_month_speaks_of_subscription_months(form: str) -> None:
    report, scored = monthly()
    page = rendered(report, scored)[form]
    assert "ubscription-months 2024-05-01 to 2024-07-31" in page
    for words in ("all subscription-months", "gain per subscription-month", "tenure_months"):
        assert words in page
    assert "one that churns counts as churned in each of the 6 months before" in page
    # The numbers that are of subscriptions are called so.
    churned = scored.filter(sub_churn=1)["sub_id"].n_unique()
    cells = re.sub(r"<[^>]+>|[|]", " ", page)
    assert re.search(rf"churned subscriptions\s+{churned}\b", cells)
    for words in (
        "all subscriptions",
        "ubscriptions started",
        "month of start",
        "390 subscriptions",
    ):
        assert words not in page


def test_page_by_month_counts_subscriptions_beside_rows() -> None:
    report, scored = monthly()
    rows, churned = report.groups["general"]["n"], report.groups["general"]["positives"]
    of = scored.filter(sub_churn=1)["sub_id"].n_unique()
    text = f"{rows} subscription-months scored, {churned} churned"
    assert re.search(
        rf"{text} \([0-9.]+%\); of 130 subscriptions, {of} of which churned\.",
        to_html(report, scored),
    )


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_report_of_one_month_speaks_of_running_subscriptions(form: str) -> None:
    report, scored = monthly(JUNE)
    page = rendered(report, scored)[form]
    assert "ubscriptions running on 2024-06-01" in page
    for words in ("subscription-month", "ubscriptions started", "month of start", "counts as"):
        assert words not in page


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_report_at_the_start_grain_knows_no_months_of_subscriptions(form: str) -> None:
    scored = make_scored()
    page = rendered(make_report(scored), scored)[form]
    assert "ubscriptions started 2024-05-01 to 2024-07-31" in page
    assert "month of start" in page
    for words in ("subscription-month", "churned subscriptions", "running"):
        assert words not in page


def test_json_has_the_grain() -> None:
    report, _ = monthly()
    plain = json.loads(json.dumps(report.to_json(), default=str))
    assert plain["grain"] == "monthly"
    assert Report.from_json(plain).grain == "monthly"
    del plain["grain"]  # An earlier version wrote none.
    assert Report.from_json(plain).grain == "start"


RENDERERS: Mapping[str, Callable[[Report], str]] = {"text": to_text, "markdown": to_markdown}


@pytest.mark.parametrize("form", RENDERERS)
def test_comparison_is_on_rows_of_the_same_grain(form: str) -> None:
    report, _ = monthly()
    text = " ".join(RENDERERS[form](report).split())
    assert "subscription-months 2024-05-01 to 2024-07-31, as of 2025-01-01" in text
