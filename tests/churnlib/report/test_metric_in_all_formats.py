"""A metric that is added to the records appears in every format without further changes."""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
import pytest

from churnlib.metrics.comparison import paired_difference
from churnlib.metrics.definitions import EVERYWHERE, METRICS, Metric, compared_metrics
from churnlib.metrics.predictions import MetricValue, Predictions
from churnlib.metrics.scores import mean
from churnlib.report.content import Report
from churnlib.report.formatting import FORMATS
from churnlib.report.html import to_html
from churnlib.report.markdown import to_markdown
from churnlib.report.text import WIDTH, to_text
from churnlib.settings import MAX_LOSS, ChampionSettings
from churnlib.versions.decision import Rules, decide_by_interval, loss_that_follows
from tests.churnlib.report.samples import make_report, make_scored

SCORED = make_scored()


def absolute_error(predictions: Predictions) -> MetricValue:
    return mean(predictions, np.abs(predictions.outcome - predictions.probability))


ADDED = Metric(
    key="absolute_error",
    name="absolute error",
    meaning="mean distance between probability and outcome",
    format="ratio",
    better="lower",
    compute=absolute_error,
    places=EVERYWHERE,
)


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Iterator[Report]:
    """A report with an added metric, which also compares models."""
    monkeypatch.setitem(METRICS, ADDED.key, ADDED)
    monkeypatch.setitem(MAX_LOSS, ADDED.key, 0.05)
    yield make_report(SCORED)


def test_added_metric_is_in_the_json_of_groups_baselines_and_segments(report: Report) -> None:
    plain = report.to_json()
    expected = (SCORED["sub_churn"] - SCORED["churn_probability"]).abs().mean()
    assert plain["general"][ADDED.key] == pytest.approx(expected)
    low, high = plain["general"]["intervals"][ADDED.key]
    assert low < expected < high
    baseline = plain["general"]["baselines"]["logistic_regression"]
    difference = baseline["differences"][ADDED.key]["difference"]
    assert difference == pytest.approx(expected - baseline[ADDED.key])
    for segment in (*plain["segments"]["territory"], *plain["cohorts"]):
        assert segment[ADDED.key] is not None
        assert ADDED.key in segment["intervals"]


@pytest.mark.parametrize("render", [to_text, to_html, to_markdown])
def test_added_metric_is_in_every_format(report: Report, render: Callable[[Report], str]) -> None:
    text = render(report)
    value = FORMATS[ADDED.format](report.groups["general"][ADDED.key])
    # In the metrics, the baselines, and the tables of segments and months, with wrapped names.
    assert text.casefold().count(ADDED.name.split()[0]) >= 4
    assert ADDED.name in text.casefold()
    assert value in text


def test_added_metric_fits_a_terminal(report: Report) -> None:
    assert max(map(len, to_text(report).splitlines())) <= WIDTH


def test_added_metric_can_compare_models(report: Report) -> None:
    assert ADDED in compared_metrics()
    rows = SCORED.with_columns(other=pl.col("churn_probability") ** 2)
    difference = paired_difference(rows, "other", "churn_probability", ADDED.key)
    interval = difference.interval()
    assert interval is not None
    assert interval[1] < 0  # Lower is better, and the squares are the truth.
    assert decide_by_interval(interval, Rules(ADDED.key, 0.05))[0] == "accepted"
    assert report.to_json()["general"][ADDED.key] is not None


@pytest.mark.parametrize("metric", compared_metrics(), ids=lambda metric: metric.key)
def test_every_compared_metric_is_a_choice_of_the_gate(metric: Metric) -> None:
    assert ChampionSettings(metric=metric.key).metric == metric.key
    assert loss_that_follows(metric.key, None) == metric.max_loss
    assert metric.better is not None


def test_every_choice_of_the_gate_has_a_record() -> None:
    assert {metric.key for metric in compared_metrics()} == set(MAX_LOSS)
    assert set(MAX_LOSS) <= set(METRICS)
