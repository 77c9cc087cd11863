"""Reports for terminals."""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from churnlib.report.assessment import judge
from churnlib.report.campaign import campaign_lines
from churnlib.report.content import GROUPS, Report
from churnlib.report.formatting import MINUS, NOT_DEFINED, with_interval
from churnlib.report.names import FIGURES as NAMES
from churnlib.report.tables import breakdown_tables, change_lines, importance_lines
from churnlib.report.verdict import cohort_of, compared, gate_verdict

TITLES = {
    "in_sample_report": "Training report",
    "score_report": "Back-test",
    "batch_score_report": "Score of a batch",
}
VALIDATION = "validation (the last months, by a model that had not seen them)"
WIDTH = 80
LABEL_WIDTH = 20
GROUP_WIDTH = 30

FIGURES = (
    ("n", "scored", "{:,}"),
    ("positives", "churned", "{:,}"),
    ("base_rate", NAMES["base_rate"], "{:.1%}"),
    ("immature", "not yet known", "{:,}"),
    ("without_currency", "without currency", "{:,}"),
    ("roc_auc", NAMES["roc_auc"], "{:.4f}"),
    ("average_precision", NAMES["average_precision"], "{:.4f}"),
    ("lift_top_decile", NAMES["lift_top_decile"], "{:.2f}"),
    ("log_loss", NAMES["log_loss"], "{:.4f}"),
    ("brier", NAMES["brier"], "{:.4f}"),
    ("expected_calibration_error", NAMES["expected_calibration_error"], "{:.4f}"),
    ("threshold", "threshold", "{:.4f}"),
    ("precision", "  precision there", "{:.1%}"),
    ("recall", "  recall there", "{:.1%}"),
)
"""The figures of a group: key, label and format."""
OPTIONAL = ("without_currency", "threshold", "precision", "recall")
"""Figures of which nothing is said where no group has them."""


def to_text(report: Report) -> str:
    """Writes a report for a terminal, at most 80 columns wide but for warnings and facts."""
    # Not every terminal has the sign that pages use.
    return "\n".join(_lines(report)).replace(MINUS, "-") + "\n"


def _lines(report: Report) -> Iterator[str]:
    first, last = report.window
    yield f"{TITLES[report.name]}: {report.game}"
    yield f"model {report.model_version}, as of {report.as_of}"
    yield f"subscriptions begun {first} to {last}, churn within {report.horizon_months} months"
    yield from _verdict(report)
    for warning in report.warnings:
        yield f"WARNING: {warning}"
    if report.comparison:
        yield from _comparison(report.comparison, earlier=report.comparison_is_earlier)
    if report.validation:
        yield from _table(VALIDATION, report.validation)
        yield from breakdown_tables(report.validation, report.segments, report.cohorts)
        yield from _table("in sample (the model on its own training rows)", report.groups)
    else:
        yield from _table("", report.groups)
        yield from breakdown_tables(report.groups, report.segments, report.cohorts)
    if report.campaign:
        yield ""
        yield from campaign_lines(report.campaign)
    yield from importance_lines(report.importance, report.why_no_importance)
    yield from _data(report)
    yield from change_lines(report.changes)
    if report.facts:
        yield ""
        yield from (f"{name:<{LABEL_WIDTH}}{value}" for name, value in report.facts.items())


def _verdict(report: Report) -> Iterator[str]:
    judgement = judge(report)
    yield ""
    yield from wrap(f"{judgement.head} {judgement.advice.head}", WIDTH)
    said = [judgement.advice.reason]
    # What the gate has compared, and why it decided so, follows in a section of its own.
    said += [
        f"{a.question}: {a.verdict.head}{'' if a.key == 'champion' else f' {a.verdict.reason}'}"
        for a in judgement.answers
    ]
    for sentence in said:
        yield from wrap(sentence, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _table(title: str, groups: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield ""
    if title:
        yield title
    yield " " * LABEL_WIDTH + "".join(f"{GROUPS[name]:>{GROUP_WIDTH}}" for name in groups)
    for key, label, form in FIGURES:
        if key not in OPTIONAL or any(s.get(key) is not None for s in groups.values()):
            cells = (cell(scores, key, form) for scores in groups.values())
            yield f"{label:<{LABEL_WIDTH}}" + "".join(f"{text:>{GROUP_WIDTH}}" for text in cells)
    for name, scores in groups.items():
        if scores.get("reason"):
            reason = f"{GROUPS[name]}: figures or intervals are missing, because {scores['reason']}"
            yield from wrap(reason, WIDTH, subsequent_indent="  ")


def _comparison(comparison: Mapping[str, Any], *, earlier: bool) -> Iterator[str]:
    judged = gate_verdict(comparison)
    yield ""
    yield "candidate against champion" + (", on other subscriptions than these" if earlier else "")
    if earlier and comparison["difference"] is None:
        yield f"  {cohort_of(comparison)}"
    for line in (f"{judged.head} {judged.reason}", *compared(comparison)):
        yield from wrap(line, WIDTH, initial_indent="  ", subsequent_indent="    ")


def cell(scores: Mapping[str, Any], key: str, form: str) -> str:
    """Words a figure, with its 95 % interval where it has one."""
    value, interval = scores.get(key), (scores.get("intervals") or {}).get(key)
    if value is None:
        return NOT_DEFINED
    return with_interval(value, interval, form.format)


def _data(report: Report) -> Iterator[str]:
    quarantined, odd = report.quarantined or {}, report.odd or {}
    told = (*quarantined.values(), *odd.values())
    unseen = [what for what, found in _looked_at(report) if found is None]
    if any(told) or None in told or unseen:
        yield ""
        yield "data"
    if unseen:
        yield f"  not looked at: {' and '.join(unseen)}"
    for table, rows in quarantined.items():
        if rows is None:
            yield f"  {table}: faulty and odd rows are not known"
        elif rows:
            yield f"  {table}: {_rows(rows)} set apart as faulty"
    for table, facts in odd.items():
        yield from (f"  {table}: {_rows(rows)}: {fact}" for fact, rows in (facts or {}).items())


def _looked_at(report: Report) -> tuple[tuple[str, Any], ...]:
    return ("faulty rows", report.quarantined), ("odd facts", report.odd)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
