"""Reports for browsers and for paper: a page that needs no other file."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from churnlib.metrics.segments import MIN_ROWS
from churnlib.report import gallery, sheets
from churnlib.report.assessment import judge
from churnlib.report.campaign import RISK_IS_NOT_PERSUADABILITY, hold_out_facts
from churnlib.report.content import Report
from churnlib.report.formatting import count, counted, exact_share, money, number, plain, share
from churnlib.report.tables import LUCK_IN_WORDS
from churnlib.report.text import TITLES
from churnlib.report.verdict import cohort_of, compared, gate_verdict, verdict

MARKS = {"better": "✓", "unsure": "≈", "worse": "✗", "undefined": "?"}
"""What a verdict is known by where colours are not seen."""


def to_html(report: Report, scored: pl.DataFrame | None = None) -> str:
    """Writes a report as a page: the verdict, figures, pictures, data, and the run.

    Args:
        report: What to say.
        scored: The rows behind the figures that are judged, of a training its validation slice:
            a row a subscription, with `is_first_sub`, `sub_churn` (null where not known yet),
            `churn_probability` and, where there is one, `baseline_probability`. Without them the
            page has no ROC and no precision-recall curves.

    Returns:
        HTML that refers to nothing else; the same input, in any order, gives the same text.
    """
    content = {
        "report": report,
        "title": f"{TITLES[report.name]}: {report.game}",
        "judgement": judge(report),
        "marks": MARKS,
        "risk_is_not_persuadability": RISK_IS_NOT_PERSUADABILITY,
        **_all_subscriptions(report, scored),
        **_new_characters(report, scored),
        **_campaign(report),
        **_parts(report),
        **_run(report),
    }
    return _template().render(**content, contents=tuple(_contents(report, content)))


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("churnlib", "report/page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.jinja")


def _all_subscriptions(report: Report, scored: pl.DataFrame | None) -> dict[str, Any]:
    general = report.judged["general"]
    return {
        "general": general,
        "scored": _scored(general),
        "gallery": gallery.of_group("general", general, scored),
        "quality": sheets.quality(general),
        "tenths": sheets.tenths(general),
        "risk_groups": sheets.risk_groups(general),
        "in_sample": sheets.tiles(report.groups["general"]) if report.validation else (),
    }


def _scored(scores: Mapping[str, Any]) -> str:
    n, churned = scores["n"], scores["positives"]
    rate = f" ({exact_share(scores['base_rate'])})" if n else ""
    return f"{counted(n, 'subscription')} scored, {count(churned)} churned{rate}."


def _new_characters(report: Report, scored: pl.DataFrame | None) -> dict[str, Any]:
    scores = report.judged["new_characters"]
    return {
        "new_verdict": verdict(scores),
        "new_tiles": sheets.tiles(scores),
        "new_gallery": gallery.of_group("new_characters", scores, scored, brief=True),
    }


def _campaign(report: Report) -> dict[str, Any]:
    found = report.campaign
    if not found or found["reason"]:
        return {}
    terms = found["terms"]
    return {
        "terms": (
            f"A subscriber who is kept is worth {money(terms['lifetime_value'])}, the incentive "
            f"costs {money(terms['incentive_cost'])}, a contact {money(terms['contact_cost'])}; "
            f"{share(found['acceptance_rate'])} of the churners accept. Money is the game's own."
        ),
        "profit": gallery.of_campaign(report),
        "campaign": sheets.campaign(found),
        "campaign_facts": tuple(_campaign_facts(found)),
    }


def _campaign_facts(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    even = found["break_even"]
    yield "break-even", "never" if even is None else f"at a true probability of {number(even)}"
    reach = f"contacting {share(found['empc_share'])}"
    yield "expected maximum", f"{money(found['empc'])} a subscription (EMPC), {reach}"
    yield from hold_out_facts(found)


def _parts(report: Report) -> dict[str, Any]:
    segments = [
        (f"{column}: {segment['value'] or 'not known'}", segment)
        for column, found in report.segments.items()
        for segment in found
    ]
    months = [(str(month["value"]), month) for month in report.cohorts]
    return {
        "importance": gallery.of_features(report),
        "importance_table": sheets.importance(report.importance),
        "segment_pictures": gallery.of_segments(report),
        "segments": sheets.parts("segments", "segment", segments),
        "month_pictures": gallery.of_months(report),
        "months": sheets.parts("months", "month", months),
        "least_rows": MIN_ROWS,
        "luck": LUCK_IN_WORDS,
    }


def _run(report: Report) -> dict[str, Any]:
    return {
        "gate": _gate(report),
        "counts": sheets.counts(report),
        "facts": sheets.facts(report),
        "libraries": plain({name: report.libraries[name] for name in sorted(report.libraries)}),
        "changes": sheets.changes(report.changes or ()),
        "inputs": sheets.inputs(report.inputs),
    }


def _gate(report: Report) -> str:
    comparison = report.comparison
    if comparison is None:
        return ""
    judged = gate_verdict(comparison)
    where = f"On {cohort_of(comparison)}, not on these. " if report.comparison_is_earlier else ""
    return f"{where}{judged.head} {judged.reason} {'; '.join(compared(comparison))}".strip()


def _contents(report: Report, content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The places of the page, in their order."""
    yield "figures", "Figures"
    yield "ranking", "Ranking"
    if content["gallery"].reliability:
        yield "probabilities", "Probabilities"
    if report.campaign:
        yield "campaign", "Campaign"
    yield "features", "Features"
    if report.segments:
        yield "segments", "Segments"
    if len(report.cohorts) > 1:
        yield "months", "Months"
    yield from (("new", "New characters"), ("data", "Data"), ("run", "Model and run"))
