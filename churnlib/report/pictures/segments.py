"""Pictures of performance by segment."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from churnlib.report.formatting import capital, counted, number, share, with_interval
from churnlib.report.pictures.drawing import Picture
from churnlib.report.pictures.forest import Row, dots

Segments = Mapping[str, Sequence[Mapping[str, Any]]]

UNKNOWN = "not known"
"""The name of a segment whose value is null."""


def ranking_by_segment(name: str, about: str, segments: Segments, overall: float) -> Picture:
    """Draws the ROC AUC of each segment.

    Args:
        name: The prefix of the picture's ids, unique in its page.
        about: Which subscriptions it is about.
        segments: The segments by column; see `churnlib.metrics.segments.Segment`.
        overall: The ROC AUC of all.
    """
    rows = [
        Row(label)
        if part is None
        else Row(
            label, part["roc_auc"], part["intervals"].get("roc_auc"), note=_why(part, "roc_auc")
        )
        for label, part in _lines(segments)
    ]
    values = _values(segments, "roc_auc")
    different = [value for value in values if not _contains(value[2], overall)]
    return Picture(
        "Ranking by segment",
        f"{_difference(different, len(values))} the overall {number(overall)}.",
        dots(
            name,
            f"ROC AUC of {about} by segment: {_each(segments, 'roc_auc')}.",
            rows,
            "ROC AUC",
            line=overall,
        ),
        "Dots with 95% confidence intervals; the dotted line is that of all. One in twenty "
        "differs by chance alone.",
    )


def churn_by_segment(name: str, about: str, segments: Segments) -> Picture:
    """Draws observed and predicted churn of each segment.

    Args:
        name: See `ranking_by_segment`.
        about: See `ranking_by_segment`.
        segments: See `ranking_by_segment`.
    """
    rows = [
        Row(label)
        if part is None
        else Row(
            label,
            part["base_rate"],
            part["intervals"].get("base_rate"),
            part["mean_predicted"],
            _why(part, "base_rate"),
        )
        for label, part in _lines(segments)
    ]
    known = [p for parts in segments.values() for p in parts if p["mean_predicted"] is not None]
    off = sum(not _contains(p["intervals"].get("base_rate"), p["mean_predicted"]) for p in known)
    each = "; ".join(
        f"{column} {_value(p)} {share(p['mean_predicted'])} and {share(p['base_rate'])}"
        for column, parts in segments.items()
        for p in parts
        if p["mean_predicted"] is not None
    )
    finding = f"{off or 'none'} of {counted(len(known), 'segment')} {'has' if off == 1 else 'have'}"
    return Picture(
        "Churn by segment",
        f"{capital(finding)} a mean prediction outside the interval of the churn rate.",
        dots(
            name,
            f"Predicted and observed churn of {about} by segment: {each}.",
            rows,
            "churn rate",
            as_shares=True,
        ),
        "Dots are churn rates with 95% confidence intervals, diamonds are mean predictions.",
    )


def _lines(segments: Segments) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    for column, parts in segments.items():
        yield column.upper(), None
        for part in parts:
            yield _value(part), part


def _value(part: Mapping[str, Any]) -> str:
    return UNKNOWN if part["value"] is None else str(part["value"])


def _why(part: Mapping[str, Any], metric: str) -> str:
    """Why a metric of a segment is missing; empty if it is not."""
    if part[metric] is not None:
        return ""
    if not part["n"]:
        return "no label yet"
    return f"{part['positives']} of {part['n']} churned"


def _values(segments: Segments, metric: str) -> list[tuple[str, float, Any]]:
    return [
        (f"{column} {_value(part)}", part[metric], part["intervals"].get(metric))
        for column, parts in segments.items()
        for part in parts
        if part[metric] is not None
    ]


def _contains(interval: Sequence[float] | None, value: float) -> bool:
    return interval is None or interval[0] <= value <= interval[1]


def _difference(different: list[tuple[str, float, Any]], count: int) -> str:
    if not different:
        return f"None of {counted(count, 'segment')} differs significantly from"
    if len(different) == 1:
        return f"{capital(different[0][0])} ({number(different[0][1])}) differs significantly from"
    return f"{len(different)} of {counted(count, 'segment')} differ significantly from"


def _each(segments: Segments, metric: str) -> str:
    values = _values(segments, metric)
    return "; ".join(f"{label} {with_interval(value, ends)}" for label, value, ends in values)
