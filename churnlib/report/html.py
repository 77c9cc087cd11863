"""Reports as self-contained HTML pages, for browsers and for printing."""

from functools import cache
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from churnlib.report.assessment import assess
from churnlib.report.content import Report
from churnlib.report.formatting import capital, count, counted, exact_share
from churnlib.report.gallery import pictures
from churnlib.report.sections import sections
from churnlib.shown import one_line

MARKS = {"better": "✓", "unsure": "≈", "worse": "✗", "undefined": "?"}
"""Marks that distinguish verdicts without colours."""


def to_html(report: Report, scored: pl.DataFrame | None = None) -> str:
    """Renders a report as a page with pictures.

    Args:
        report: The report.
        scored: The rows behind the metrics, in training those of the validation months, with
            `is_first_sub`, `sub_churn` (null if not yet available), `churn_probability` and, if
            there is a baseline, `baseline_probability`. Without them the page has no ROC and no
            precision-recall curves.

    Returns:
        HTML that refers to no other file; the same input, in any order, gives the same text.
    """
    return template("report.html.jinja").render(
        report=report,
        subject=capital(report.subject),
        scored=_scored(report),
        assessment=assess(report),
        marks=MARKS,
        sections=sections(report),
        pictures=pictures(report, scored),
    )


@cache
def template(name: str) -> Template:
    """Loads the template of a page."""
    environment = Environment(
        loader=PackageLoader("churnlib", "report/page"),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def finalize(value: Any) -> Any:
    """Escapes control characters in what a template inserts, but not in markup."""
    return one_line(value) if type(value) is str else value


def _scored(report: Report) -> str:
    scores = report.judged["general"]
    rate = f" ({exact_share(scores['base_rate'])})" if scores["n"] else ""
    churned = f"{count(scores['positives'])} churned{rate}"
    rows = f"{counted(scores['n'], report.words.row)} scored, {churned}"
    subs = scores.get("subscriptions", scores["n"])
    if subs < scores["n"]:
        which = f"{count(scores['churned_subscriptions'])} of which churned"
        return f"{rows}; of {counted(subs, 'subscription')}, {which}."
    return f"{rows}."
