"""The tables of a report, which text, page and Markdown render alike."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from churnlib.metrics.definitions import Metric, metrics_in
from churnlib.metrics.segments import MIN_ROWS
from churnlib.report.content import GROUPS, LEFT_OUT, Plain, Report
from churnlib.report.formatting import (
    FORMATS,
    Interval,
    between,
    capital,
    count,
    exact_share,
    number,
    ratio,
    share,
    signed,
)
from churnlib.shown import one_line

MISSING = "\N{EN DASH}"
"""The text of a cell without a value."""
BASELINES = {"logistic_regression": "logistic regression", "base_rate": "base rate"}
"""The names of the baselines."""
UNKNOWN = "not known"
"""The text for an unknown segment value or number of rows."""
MAX_FEATURES = 10
"""Number of features in text and Markdown."""
FINGERPRINT_LENGTH = 12
"""Number of digits of a fingerprint to show."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        value: Its value, if any.
        form: Formats the value and the ends of its interval.
        interval: The 95 % confidence interval of the value, if any.
        note: A note in small print.
    """

    value: Any
    form: Callable[[Any], str] = str
    interval: Interval | None = None
    note: str = ""

    @property
    def text(self) -> str:
        """The formatted value."""
        return MISSING if self.value is None else one_line(self.form(self.value))

    @property
    def range(self) -> str:
        """The formatted interval; empty if there is none."""
        return "" if self.value is None else between(self.interval, self.form)

    @property
    def inline(self) -> str:
        """The formatted value with its interval."""
        return f"{self.text} ({self.range})" if self.range else self.text


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: What it shows.
        columns: The names of its columns; empty for a list of facts, with rows of name and value.
        rows: Its rows, with one cell per column; the first names the row.
        notes: Sentences below it.
        is_text: Whether its cells are text, such as settings, rather than numbers.
        is_detail: Whether the page shows it folded.
        is_wide: Whether it takes the full width of the page, below the pictures.
        first_rows: Number of rows in text and Markdown; all if None.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    is_text: bool = False
    is_detail: bool = False
    is_wide: bool = False
    first_rows: int | None = None


def metrics(
    groups: Mapping[str, Plain],
    names: Mapping[str, str] = GROUPS,
    title: str = "Metrics",
    *,
    is_detail: bool = False,
) -> Table:
    """The metrics of groups, each from `churnlib.metrics.evaluate.Scores.to_json`."""
    scores = groups.values()
    has_threshold = any(group["threshold"] is not None for group in scores)
    shown = [m for m in metrics_in("groups") if has_threshold or m.needs != "a threshold"]
    rows = [
        (Cell("scored"), *(Cell(group["n"], count) for group in scores)),
        (Cell("churned"), *(Cell(group["positives"], count) for group in scores)),
        *((_name(metric), *(_value(metric, group) for group in scores)) for metric in shown),
    ]
    if has_threshold:
        note = "the probability from which on churn is predicted"
        thresholds = [Cell(group["threshold"], number) for group in scores]
        rows.append((Cell("threshold", note=note), *thresholds))
    reasons = [
        f"{names[name]}: metrics or intervals are missing, because {group['reason']}."
        for name, group in groups.items()
        if group["reason"]
    ]
    columns = ("metric", *(names[name] for name in groups))
    return Table(title, columns, tuple(rows), tuple(reasons), is_detail=is_detail)


def baselines(scores: Plain) -> Table | None:
    """The baselines' metrics, and the model's differences from them; None without a baseline."""
    known = {name: scores["baselines"].get(name) for name in BASELINES}
    shown = {name: baseline for name, baseline in known.items() if baseline}
    if not shown:
        return None
    rows = [
        (
            Cell(metric.name),
            _value(metric, scores, bare=True),
            *(cell for baseline in shown.values() for cell in _against(metric, baseline)),
        )
        for metric in metrics_in("baselines")
        if scores[metric.key] is not None
    ]
    names = (column for name in shown for column in (BASELINES[name], "difference"))
    note = "Difference: the model minus the baseline, with its 95% confidence interval."
    return Table(
        "Comparison with baselines", ("metric", "model", *names), tuple(rows), (note,), is_wide=True
    )


def deciles(scores: Plain) -> Table:
    """The risk deciles, with churn rate, lift and cumulative gain."""
    forms = {"churn_rate": share, "lift": ratio, "cumulative_gain": share}
    rows = [
        (
            Cell(decile["decile"]),
            Cell(decile["rows"], count),
            *(Cell(decile[key], form, decile["intervals"][key]) for key, form in forms.items()),
        )
        for decile in scores["deciles"]
    ]
    columns = ("decile", "scored", "churned", "lift", "cumulative gain")
    return Table("Risk deciles, riskiest first", columns, tuple(rows), is_detail=True)


def risk_groups(scores: Plain) -> Table:
    """Predicted and observed churn by groups of risk."""
    rows = [
        (
            Cell(place),
            Cell(group["rows"], count),
            Cell(group["predicted"], exact_share),
            Cell(group["churn_rate"], exact_share, group["interval"]),
        )
        for place, group in enumerate(scores["risk_groups"], 1)
    ]
    columns = ("group", "scored", "predicted", "churned")
    return Table("Groups by risk, riskiest first", columns, tuple(rows))


def parts(name: str, segments: Sequence[Plain]) -> Table:
    """The metrics of segments.

    Args:
        name: What the segments are by: a column, or the month.
        segments: See `churnlib.metrics.segments.Segment`.
    """
    shown = metrics_in("segments")
    rows = [
        (
            Cell(UNKNOWN if part["value"] is None else part["value"]),
            Cell(part["n"], count, note=_without_label(part["immature"])),
            *(_value(metric, part) for metric in shown),
        )
        for part in segments
    ]
    few = any(part.get("subscriptions", part["n"]) < MIN_ROWS for part in segments)
    notes = (f"No metrics for fewer than {MIN_ROWS} subscriptions with a label.",) if few else ()
    columns = (name, "scored", *(metric.name for metric in shown))
    return Table(f"By {name}", columns, tuple(rows), notes, is_detail=True)


def _without_label(immature: int) -> str:
    return f"{count(immature)} without a label yet" if immature else ""


def importance(features: Sequence[Plain]) -> Table:
    """The loss in ROC AUC when each feature is shuffled."""
    rows = [
        (
            Cell(f["feature"]),
            Cell(f["auc_loss"], signed),
            Cell(between((f["least"], f["most"]), signed)),
        )
        for f in features
    ]
    columns = ("feature", "loss in ROC AUC", "95% interval")
    return Table("All features", columns, tuple(rows), is_detail=True, first_rows=MAX_FEATURES)


def changes(changed: Sequence[Plain]) -> Table:
    """The model's settings that differ from `base.toml`."""
    rows = [tuple(Cell(change[key]) for key in ("setting", "base", "now")) for change in changed]
    title = "Settings of the model that differ from base.toml"
    notes = () if changed else ("None.",)
    return Table(title, ("setting", "base.toml", "model"), tuple(rows), notes, is_text=True)


def inputs(datasets: Mapping[str, Plain]) -> Table:
    """The datasets behind the model and the report."""
    rows = [
        (
            Cell(name),
            Cell(facts.get("rows"), count),
            Cell(str(facts["fingerprint"])[:FINGERPRINT_LENGTH]),
        )
        for name, facts in datasets.items()
    ]
    return Table(
        "Inputs", ("input", "rows", "fingerprint"), tuple(rows), is_text=True, is_detail=True
    )


def counts(report: Report) -> Table:
    """The numbers of rows by group: those of the window, and what became of them."""
    groups = report.judged
    left_out = {
        reason: [(report.left_out or {}).get(reason, {}).get(group, 0) for group in groups]
        for reason in LEFT_OUT
    }
    scored = [scores["n"] for scores in groups.values()]
    immature = [scores["immature"] for scores in groups.values()]
    words = report.words
    numbers: dict[str, list[int]] = {
        words.selected: [
            sum(parts) for parts in zip(scored, immature, *left_out.values(), strict=True)
        ],
        **{name: left_out[reason] for reason, name in LEFT_OUT.items() if any(left_out[reason])},
        "label not yet available": immature,
        "scored": scored,
        "churned": [scores["positives"] for scores in groups.values()],
    }
    if any(scores.get("subscriptions", scores["n"]) < scores["n"] for scores in groups.values()):
        numbers["subscriptions among them"] = [s["subscriptions"] for s in groups.values()]
        numbers["churned subscriptions"] = [s["churned_subscriptions"] for s in groups.values()]
    currency = [scores["without_currency"] for scores in groups.values()]
    if any(number is not None for number in currency):
        numbers["without currency"] = currency
    rows = [(Cell(name), *(Cell(n, count) for n in row)) for name, row in numbers.items()]
    columns = (f"{words.row}s", *(report.group_names[name] for name in groups))
    return Table(f"{capital(words.row)}s", columns, tuple(rows))


def data_warnings(report: Report) -> Table:
    """The numbers of raw rows that were quarantined or have a data warning."""
    rows = [
        (Cell(table), Cell(what), Cell(UNKNOWN if rows is None else count(rows)))
        for table, what, rows in (*_quarantined(report), *_odd(report))
    ]
    checked = {"quarantined rows": report.quarantined, "data warnings": report.odd}
    unchecked = [what for what, counted in checked.items() if counted is None]
    notes = [f"Not checked: {' and '.join(unchecked)}."] if unchecked else []
    if not rows and not unchecked:
        notes.append("None.")
    columns = ("table", "warning", "rows")
    return Table("Data warnings", columns, tuple(rows), tuple(notes), is_text=True)


def _quarantined(report: Report) -> Iterator[tuple[str, str, int | None]]:
    for table, rows in (report.quarantined or {}).items():
        if rows != 0:
            yield table, "quarantined rows", rows


def _odd(report: Report) -> Iterator[tuple[str, str, int | None]]:
    for table, warnings in (report.odd or {}).items():
        if warnings is None:
            yield table, "data warnings", None
        for warning, rows in (warnings or {}).items():
            yield table, warning, rows


def _name(metric: Metric) -> Cell:
    better = {"higher": "", "lower": "; lower is better", None: ""}[metric.better]
    return Cell(metric.name, note=f"{metric.meaning}{better}")


def _value(metric: Metric, scores: Plain, *, bare: bool = False) -> Cell:
    """The value of a metric in a group, segment or baseline; without interval if `bare`."""
    value, form = scores[metric.key], FORMATS[metric.format]
    if value is None:
        return Cell(None, note=metric.undefined)
    return Cell(value, form, None if bare else scores["intervals"].get(metric.key))


def _against(metric: Metric, baseline: Plain) -> tuple[Cell, Cell]:
    """The value of a baseline, and the difference between the model and it."""
    difference = baseline["differences"].get(metric.key)
    if not difference:
        return _value(metric, baseline, bare=True), Cell("")
    return (
        _value(metric, baseline, bare=True),
        Cell(difference["difference"], signed, difference["interval"]),
    )
