"""The tables of a report for terminals that look closer: baselines, deciles, segments, cohorts."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from churnlib.report.formatting import or_else, with_interval
from churnlib.report.names import BASELINES, COMPARED, FIGURES

Rows = Sequence[Mapping[str, Any]]

NAME_WIDTH, LONG_NAME_WIDTH, WIDTH = 20, 34, 80
MOST_FEATURES = 10
"""More of them are told by the page."""
MISSING = "-"
CALIBRATION = "expected_calibration_error"
LUCK = "~"
"""Stands for a calibration error that may be luck; there is no room for its interval."""
LUCK_IN_WORDS = (
    "A calibration error whose interval reaches 0 may be luck alone: calibrated probabilities have "
    "one of about 0.1 by 100 subscriptions, 0.2 by 20."
)


def breakdown_tables(
    groups: Mapping[str, Mapping[str, Any]],
    segments: Mapping[str, Rows],
    cohorts: Rows,
) -> Iterator[str]:
    """Writes what there is beside the figures of the groups, at most 80 columns wide.

    Args:
        groups: See `churnlib.report.content.Report`; baselines and deciles are those of `general`.
        segments: See there.
        cohorts: See there.
    """
    general = groups["general"]
    yield from _baselines(general.get("baselines") or {})
    yield from _deciles(general.get("deciles") or ())
    for name, rows in segments.items():
        yield from _parts(f"by {name}", rows)
    if cohorts:
        yield from _parts("by month of start", cohorts)
    if any(_beyond_luck(row) == LUCK for rows in (*segments.values(), cohorts) for row in rows):
        yield from wrap(LUCK_IN_WORDS, WIDTH, initial_indent=f"{LUCK} ", subsequent_indent="  ")


def importance_lines(features: Rows, why_not: str | None = None) -> Iterator[str]:
    """Writes what the most important features are to the model.

    Args:
        features: See `churnlib.report.content.Report`.
        why_not: Why there are none.
    """
    yield ""
    if not features:
        yield from wrap(
            f"importance: not measured, because {why_not}", WIDTH, subsequent_indent="  "
        )
        return
    yield "importance, by the ROC AUC lost when a feature is shuffled"
    for feature in features[:MOST_FEATURES]:
        name = _cut(f"  {feature['feature']}", LONG_NAME_WIDTH)
        span = f"({feature['least']:+.4f} to {feature['most']:+.4f})"
        yield f"{name:<{LONG_NAME_WIDTH}}{feature['auc_loss']:+.4f} {span}"
    if len(features) > MOST_FEATURES:
        yield f"  and {len(features) - MOST_FEATURES} more"


def change_lines(changes: Sequence[Mapping[str, str]] | None) -> Iterator[str]:
    """Writes the settings that are not as `base.toml` has them.

    Args:
        changes: See `churnlib.report.content.Report`.
    """
    if changes is None:
        return
    yield ""
    yield "settings of the model that differ from base.toml" + ("" if changes else ": none")
    for change in changes:
        yield from wrap(
            f"{change['setting']} = {change['now']} (base: {change['base']})",
            WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
        )


def _baselines(baselines: Mapping[str, Any]) -> Iterator[str]:
    shown = [name for name in BASELINES if baselines.get(name)]
    if not shown:
        return
    yield ""
    yield f"{'baselines':<{NAME_WIDTH}}" + "".join(f"{BASELINES[name]:>30}" for name in shown)
    for metric in COMPARED:
        values = (_number(baselines[name].get(metric), "{:.4f}") for name in shown)
        yield f"{FIGURES[metric]:<{NAME_WIDTH}}" + "".join(f"{value:>30}" for value in values)
        apart = (_difference(baselines[name]["differences"].get(metric)) for name in shown)
        yield f"{'  model less that':<{NAME_WIDTH}}" + "".join(f"{text:>30}" for text in apart)


def _deciles(deciles: Rows) -> Iterator[str]:
    if not deciles:
        return
    yield ""
    yield f"{'tenths by risk':<{NAME_WIDTH}}{'churned':>17}{'lift':>21}{'gains':>22}"
    for tenth in deciles:
        name = f"  {tenth['decile']} of {tenth['rows']:,.0f}"
        cells = (
            _with_interval(tenth, "churn_rate", "{:.0%}"),
            _with_interval(tenth, "lift", "{:.2f}"),
            _with_interval(tenth, "cumulative_gain", "{:.0%}"),
        )
        yield f"{name:<{NAME_WIDTH}}{cells[0]:>17}{cells[1]:>21}{cells[2]:>22}"


def _parts(title: str, rows: Rows) -> Iterator[str]:
    yield ""
    heads = f"{'scored':>9}{'churned':>9}{'predicted':>11}{'ROC AUC':>19}{'calib.':>9}"
    yield f"{title:<{NAME_WIDTH}}{heads}"
    for row in rows:
        value = "not known" if row["value"] is None else row["value"]
        name = f"  {value}"
        name = _cut(name, NAME_WIDTH)
        cells = (
            f"{row['n']:>9,}{_number(row['base_rate'], '{:.1%}'):>9}",
            f"{_number(row['mean_predicted'], '{:.1%}'):>11}",
            f"{_with_interval(row, 'roc_auc', '{:.2f}'):>19}",
            f"{_beyond_luck(row):>9}",
        )
        yield f"{name:<{NAME_WIDTH}}" + "".join(cells)


def _beyond_luck(row: Mapping[str, Any]) -> str:
    """The calibration error, where it is more than calibrated probabilities have by chance."""
    error, interval = row[CALIBRATION], row["intervals"].get(CALIBRATION)
    if error is None or interval is None:
        return MISSING
    return f"{error:.3f}" if interval[0] > 0 else LUCK


def _cut(name: str, width: int) -> str:
    """Keeps a name shorter than its column."""
    return name if len(name) < width else f"{name[: width - 2]}~"


def _number(value: float | None, form: str) -> str:
    return or_else(MISSING, value, form.format)


def _with_interval(row: Mapping[str, Any], key: str, form: str) -> str:
    value, interval = row[key], row["intervals"].get(key)
    if value is None or interval is None:
        return _number(value, form)
    low, high = map(form.format, interval)
    return f"{form.format(value)} ({low}-{high})"


def _difference(apart: Mapping[str, Any] | None) -> str:
    if apart is None:
        return MISSING
    return with_interval(apart["difference"], apart["interval"], "{:+.4f}".format)
