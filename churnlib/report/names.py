"""What figures and baselines are called, in every format."""

from churnlib.metrics.definitions import METRICS, compared_metrics

FIGURES = {metric.key: metric.name for metric in METRICS.values()}
"""What each figure is called."""
COMPARED = tuple(metric.key for metric in compared_metrics())
"""The figures in which a model is held against another."""
BASELINES = {"logistic_regression": "logistic regression", "base_rate": "base rate for all"}
"""What each baseline is called."""
