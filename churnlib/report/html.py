"""Reports for browsers and for paper: a page that needs no other file."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from churnlib.features.labels import LABEL
from churnlib.model.predict import PROBABILITY
from churnlib.report import curves, plots
from churnlib.report.content import GROUPS, Report
from churnlib.report.text import FIGURES, TITLES, UNDEFINED
from churnlib.report.verdict import compared, gate_verdict, verdict

Groups = Mapping[str, Mapping[str, Any]]

FORMATS = {key: form for key, _, form in FIGURES}
QUALITY = {
    "n": ("Scored", "subscriptions whose outcome is known"),
    "positives": ("Churned", "of those scored, within the horizon"),
    "base_rate": ("Base rate", "share that churned"),
    "roc_auc": ("ROC AUC", "chance that a churner is ranked above one who stays; 0.5 is guessing"),
    "roc_auc_ci": ("95% interval", "of the ROC AUC; the fewer churners, the wider"),
    "average_precision": ("Average precision", "over all cut-offs; guessing gives the base rate"),
    "lift_top_decile": ("Lift, top decile", "churn rate of the likeliest tenth over the base rate"),
    "log_loss": ("Log loss", "of the probabilities, in nats; lower is better"),
    "brier": ("Brier score", "mean squared error of the probabilities; lower is better"),
}
"""The figures that judge a model: what each is called and what it means."""
COUNTS = {
    "rows": ("Subscriptions", "begun in the window"),
    "immature": ("Not yet known", "too young for an outcome; left out"),
    "n": ("Scored", "the others"),
    "without_currency": ("Without currency", "of those scored, no currency row by their start"),
}
"""The figures that tell what the others rest on."""


@dataclass(frozen=True)
class Part:
    """Figures of one set of rows, group by group.

    Attributes:
        title: Which rows; empty where there is only one set.
        note: What to keep in mind.
        groups: The figures.
    """

    title: str
    note: str
    groups: Groups


@dataclass(frozen=True)
class Plot:
    """A plot, as it stands on the page.

    Attributes:
        title: What it is called.
        svg: The drawing.
        caption: How to read it.
    """

    title: str
    svg: Markup
    caption: str


@dataclass(frozen=True)
class Picture:
    """All that is drawn of one group.

    Attributes:
        plots: The plots; empty where there is nothing to draw.
        risk_groups: The figures behind the reliability plot.
        found: The share of all churners in each risk group and those before it.
        missing: Why there is no plot.
    """

    plots: tuple[Plot, ...] = ()
    risk_groups: tuple[curves.RiskGroup, ...] = ()
    found: tuple[float, ...] = ()
    missing: str = ""


def to_html(report: Report, scored: pl.DataFrame | None = None) -> str:
    """Writes a report as a page: the verdict, warnings, figures, plots, data, and the run.

    Args:
        report: What to say.
        scored: The rows behind the figures that are judged, of a training its validation slice:
            a row a subscription, with `is_first_sub`, `sub_churn` (null where not known yet) and
            `churn_probability`. Without them the page has no plots.

    Returns:
        HTML that refers to nothing else; the same input, in any order, gives the same text.
    """
    parts = _parts(report)
    judged = parts[0].groups
    return _template().render(
        report=report,
        title=f"{TITLES[report.name]}: {report.game}",
        names=GROUPS,
        parts=parts,
        judged=judged,
        verdicts={name: verdict(scores) for name, scores in judged.items()},
        gate=gate_verdict(report.comparison) if report.comparison else None,
        compared=compared,
        pictures={name: _picture(name, scores, scored) for name, scores in judged.items()},
        quality=QUALITY,
        counts=COUNTS,
        cell=_cell,
        plain=_plain,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("churnlib", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.jinja")


def _parts(report: Report) -> tuple[Part, ...]:
    if not report.validation:
        return (Part("", "", report.groups),)
    held_out = "The last months of the window, by a model fitted on earlier months."
    flatters = "On the rows that the model learnt from: these figures flatter."
    return (
        Part("Validation", held_out, report.validation),
        Part("In sample", flatters, report.groups),
    )


def _cell(scores: Mapping[str, Any], key: str) -> str:
    value = scores["n"] + scores["immature"] if key == "rows" else scores.get(key)
    return UNDEFINED if value is None else FORMATS.get(key, "{:,}").format(value)


def _plain(value: Any) -> str:
    """Writes a fact without the marks of a programming language."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_plain(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return str(value)


def _picture(name: str, scores: Mapping[str, Any], scored: pl.DataFrame | None) -> Picture:
    if scores["roc_auc"] is None:
        return Picture(missing=f"Nothing to plot: {scores['reason']}.")
    if scored is None:
        return Picture(missing="Not plotted: the report was written without its rows.")
    rows = scored.filter("is_first_sub") if name == "new_characters" else scored
    known = rows.filter(pl.col(LABEL).is_not_null())
    outcome = known[LABEL].to_numpy().astype(np.bool_)
    probability = known[PROBABILITY].to_numpy()
    groups = curves.risk_groups(outcome, probability)
    shown = (
        _roc(name, scores, outcome, probability),
        _reliability(name, groups),
        _gains(name, scores, outcome, probability),
    )
    found = np.cumsum([group.churned for group in groups]) / outcome.sum()
    return Picture(shown, tuple(groups), tuple(found.tolist()))


def _roc(
    name: str, scores: Mapping[str, Any], outcome: curves.Flags, probability: curves.Floats
) -> Plot:
    area = f"The area under the curve is {scores['roc_auc']:.3f}; the diagonal's is 0.5"
    svg = plots.roc_plot(
        f"roc-{name}",
        f"ROC curve of {GROUPS[name]}. {area}.",
        *curves.roc(outcome, probability),
    )
    how = "How many churners are found, and for how many false alarms."
    return Plot("ROC curve", Markup(svg), f"{how} {area}, which is guessing.")


def _reliability(name: str, groups: list[curves.RiskGroup]) -> Plot:
    n = sum(group.rows for group in groups)
    predicted = sum(group.rows * group.predicted for group in groups) / n
    observed = sum(group.churned for group in groups) / n
    overall = f"Of all, {predicted:.1%} were predicted to churn, and {observed:.1%} did"
    each = "; ".join(f"{g.predicted:.0%} and {g.observed:.0%} of {g.rows:,}" for g in groups)
    label = f"Predicted and observed churn of {GROUPS[name]}, likeliest group first: {each}."
    svg = plots.reliability_plot(f"reliability-{name}", label, groups)
    how = "Whether the probabilities can be taken at their word: dots should lie on the bars' tops."
    outside = sum(not g.low <= g.predicted <= g.high for g in groups)
    misses = f"In {outside or 'none'} of {len(groups)} groups the dot lies outside the interval."
    return Plot("Reliability", Markup(svg), f"{how} {misses} {overall}.")


def _gains(
    name: str, scores: Mapping[str, Any], outcome: curves.Flags, probability: curves.Floats
) -> Plot:
    found = curves.gains(outcome, probability)
    first = f"The likeliest 10% hold {found[1]:.0%} of the churners"
    label = f"Cumulative gains of {GROUPS[name]}. {first}, 20% {found[2]:.0%}, 50% {found[5]:.0%}."
    svg = plots.gains_plot(f"gains-{name}", label, found, scores["base_rate"])
    how = "How many churners are reached by going down the list from the likeliest."
    return Plot("Cumulative gains", Markup(svg), f"{how} {first}; guessing, 10%.")
