"""The tables of a report's page, in words."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from churnlib.report.content import Report
from churnlib.report.formatting import (
    NOT_DEFINED,
    Interval,
    between,
    count,
    exact_share,
    money,
    number,
    or_else,
    plain,
    signed,
)
from churnlib.report.names import BASELINES, FIGURES

Figures = Mapping[str, Any]
Form = Callable[[float], str]

MISSING = "\N{EN DASH}"


def two_decimals(value: float) -> str:
    """Writes a ratio for a column of figures."""
    return f"{value:.2f}"


QUALITY: tuple[tuple[str, str, str, Form], ...] = (
    *(
        (key, FIGURES[key], meaning, form)
        for key, meaning, form in (
            ("roc_auc", "a churner is ranked above one who stays; guessing 0.5", number),
            ("average_precision", "over all thresholds; guessing: base rate", number),
            ("lift_top_decile", "churn of the riskiest tenth over average", two_decimals),
            ("log_loss", "of the probabilities, in nats; lower is better", number),
            ("brier", "mean squared error; lower is better", number),
            ("expected_calibration_error", "gap of prediction and churn", number),
        )
    ),
    ("precision", "precision at threshold", "churners among those called", exact_share),
    ("recall", "recall at threshold", "churners that are called", exact_share),
)
"""The figures that judge a model: key, name, meaning and form."""
WHY_NOT = {"precision": "nobody is called", "recall": "nobody churned"}
"""Why figures may not be defined where the others are."""


@dataclass(frozen=True)
class Cell:
    """A place in a table.

    Attributes:
        text: What stands there.
        note: What stands below, in small.
    """

    text: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        about: What it is of.
        heads: The names of its columns.
        rows: Its rows, a cell a column; the first names the row.
    """

    about: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def quality(scores: Figures) -> Table:
    """The figures of a group with their intervals, and those of its baselines beside them.

    Args:
        scores: See `churnlib.metrics.evaluate.Scores`.
    """
    baselines = {
        name: found for name in BASELINES if (found := scores["baselines"].get(name)) is not None
    }
    rows = [
        (
            Cell(name, meaning),
            _figure(scores, key, form),
            *(_held_against(baseline, key, form) for baseline in baselines.values()),
        )
        for key, name, meaning, form in QUALITY
        if key not in ("precision", "recall") or scores["threshold"] is not None
    ]
    heads = ("figure", "model", *(BASELINES[name] for name in baselines))
    return Table("figures", heads, tuple(rows))


def tiles(scores: Figures) -> tuple[tuple[str, Cell], ...]:
    """The figures of a group in brief, by name."""
    scored = Cell(count(scores["n"]), f"{count(scores['positives'])} churned")
    figures = [
        (name, _figure(scores, key, form))
        for key, name, _, form in QUALITY
        if scores[key] is not None
    ]
    base = (
        ((FIGURES["base_rate"], _figure(scores, "base_rate", exact_share)),) if scores["n"] else ()
    )
    return (("scored", scored), *base, *figures)


def risk_groups(scores: Figures) -> Table:
    """What was predicted and what came, by groups of risk."""
    rows = [
        (
            Cell(str(place)),
            Cell(count(round(group["rows"]))),
            Cell(exact_share(group["predicted"])),
            Cell(exact_share(group["churn_rate"])),
            Cell(between(group["interval"], exact_share)),
        )
        for place, group in enumerate(scores["risk_groups"], 1)
    ]
    return Table(
        "groups by risk", ("group", "rows", "predicted", "churned", "95% interval"), tuple(rows)
    )


def tenths(scores: Figures) -> Table:
    """The tenths behind gains and lift."""
    forms = {"churn_rate": exact_share, "lift": two_decimals, "cumulative_gain": exact_share}
    rows = [
        (
            Cell(str(tenth["decile"])),
            *(_figure(tenth, key, form) for key, form in forms.items()),
        )
        for tenth in scores["deciles"]
    ]
    heads = ("tenth", "churned", "lift", "churners so far")
    return Table("tenths by risk", heads, tuple(rows))


def campaign(found: Figures) -> Table:
    """What the chosen threshold, the best one in hindsight and contacting everybody come to."""
    columns = (found["at_threshold"], found["best"], found["everybody"])

    def row(name: str, form: Callable[[Any], str], key: str) -> tuple[Cell, ...]:
        return (Cell(name), *(Cell(_or_missing(column[key], form)) for column in columns))

    ends = found["at_threshold"]["expected_gain_ci"]
    gains = row("expected gain", money, "expected_gain")
    rows = (
        row("from a probability of", number, "threshold"),
        row("contacted", count, "contacted"),
        row("share of all", exact_share, "share"),
        row("churners among them", count, "churners"),
        (gains[0], Cell(gains[1].text, between(ends, money)), *gains[2:]),
        row("gain a subscription", money, "expected_gain_per_subscription"),
    )
    heads = ("campaign", "chosen threshold", "best in hindsight", "everybody")
    return Table("campaign", heads, rows)


def parts(about: str, head: str, found: Iterable[tuple[str, Figures]]) -> Table:
    """The figures of parts of the subscriptions, such as segments or months.

    Args:
        about: What the table is of.
        head: What parts them.
        found: The parts by name; see `churnlib.metrics.segments.Segment`.
    """
    rows = [
        (
            Cell(name),
            Cell(
                count(part["n"]),
                f"{count(part['immature'])} not yet known" if part["immature"] else "",
            ),
            Cell(_or_missing(part["mean_predicted"], exact_share)),
            _figure(part, "base_rate", exact_share, MISSING),
            _figure(part, "roc_auc", number, MISSING),
            _figure(part, "expected_calibration_error", number, MISSING),
        )
        for name, part in found
    ]
    heads = (head, "scored", "predicted", "churned", "ROC AUC", "calibration error")
    return Table(about, heads, tuple(rows))


def importance(features: Sequence[Figures]) -> Table:
    """What shuffling each feature costs."""
    rows = [
        (
            Cell(f["feature"]),
            Cell(signed(f["auc_loss"])),
            Cell(between((f["least"], f["most"]), signed)),
        )
        for f in features
    ]
    return Table("features", ("feature", "ROC AUC lost", "in five shuffles"), tuple(rows))


def changes(found: Sequence[Figures]) -> Table:
    """The settings that are not as `base.toml` has them."""
    rows = [tuple(Cell(str(change[key])) for key in ("setting", "base", "now")) for change in found]
    return Table("settings", ("setting", "base.toml", "model"), tuple(rows))


def inputs(found: Mapping[str, Figures]) -> Table:
    """What a model was made from."""
    rows = [
        (Cell(name), Cell(_or_missing(facts.get("rows"), count)), Cell(str(facts["fingerprint"])))
        for name, facts in found.items()
    ]
    return Table("inputs", ("input", "rows", "fingerprint"), tuple(rows))


def counts(report: Report) -> Table:
    """What the figures rest on, group by group."""
    judged = report.judged
    said: dict[str, Callable[[Figures], str]] = {
        "subscriptions": lambda s: count(s["n"] + s["immature"]),
        "outcome not yet known": lambda s: count(s["immature"]),
        "scored": lambda s: count(s["n"]),
        "churned": lambda s: count(s["positives"]),
        "without currency": lambda s: _or_missing(s["without_currency"], count),
    }
    rows = [
        (Cell(name), *(Cell(say(scores)) for scores in judged.values()))
        for name, say in said.items()
        if name != "without currency"
        or any(s["without_currency"] is not None for s in judged.values())
    ]
    return Table("rows", ("rows", "all", "new characters"), tuple(rows))


def facts(report: Report) -> tuple[tuple[str, str], ...]:
    """What else there is to know of the run, by name."""
    return tuple((name, plain(value)) for name, value in report.facts.items())


def _figure(figures: Figures, key: str, form: Form, missing: str = NOT_DEFINED) -> Cell:
    value = figures[key]
    if value is None:
        return Cell(missing, WHY_NOT.get(key, ""))
    interval: Interval | None = figures["intervals"].get(key)
    return Cell(form(value), between(interval, form))


def _held_against(baseline: Figures, key: str, form: Form) -> Cell:
    """The figure of a baseline, and below it how far the model is from it."""
    apart = baseline["differences"].get(key)
    note = ""
    if apart:
        ends = between(apart["interval"], signed)
        note = f"{signed(apart['difference'])}" + (f" ({ends})" if ends else "")
    return Cell(_or_missing(baseline[key], form), note)


def _or_missing(value: Any, form: Callable[[Any], str]) -> str:
    return or_else(MISSING, value, form)
