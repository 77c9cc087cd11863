"""A back-test in one call, for scripts and notebooks."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from churnlib.argument_checks import check_type
from churnlib.errors import DataError, error_prefix, reason
from churnlib.io.storage import write_texts
from churnlib.report.content import Report
from churnlib.report.markdown import to_markdown
from churnlib.report.text import to_text
from churnlib.schemas.columns import CHAR_ID, LABEL, SUB_ID, SUB_START_DATE, day_column
from churnlib.settings import Settings, changes

if TYPE_CHECKING:
    from churnlib.metrics.evaluate import Scores
    from churnlib.model.fitted_model import FittedModel

UNSAVED = "not saved"
"""The name in reports of a model that has no version."""
TESTED = "the rows to test on"
"""The name of the rows in messages."""
NEEDED = (CHAR_ID, SUB_ID, SUB_START_DATE, "is_first_sub")
"""The columns that the rows must have, in addition to the label and the model's features."""


@dataclass(frozen=True, repr=False)
class BackTest:
    """A model's predictions for subscriptions whose outcome is known, and their metrics.

    As the last expression of a notebook cell, it is shown as a page.

    Attributes:
        rows: One row per row of the test: keys, label, `churn_probability`, `baseline_probability`.
        scores: The metrics, by group; see `churnlib.evaluate`.
        report: The report, as data.
    """

    rows: pl.DataFrame
    scores: "dict[str, Scores]"
    report: Report

    def __repr__(self) -> str:
        first, last = self.report.window
        lines = [
            f"BackTest of model {self.report.model_version} on {self.report.game}",
            f"  {self.report.words.within(first, last)}, outcomes as of {self.report.as_of}",
        ]
        for group, scores in self.scores.items():
            counts = f"{scores.n:,} {self.report.words.row}s, {scores.positives:,} churned"
            auc, interval = scores.roc_auc, scores.roc_auc_ci
            ranking = "" if auc is None else f", ROC AUC {auc:.4f}"
            ranking += "" if interval is None else " ({:.4f} to {:.4f})".format(*interval)
            lines.append(f"  {group:<15} {counts}{ranking}")
        return "\n".join(lines)

    @property
    def text(self) -> str:
        """The report for terminals."""
        return to_text(self.report)

    @cached_property
    def html(self) -> str:
        """The report as a page."""
        from churnlib.report.html import to_html

        return to_html(self.report, self.rows)

    def save(self, path: str | Path) -> None:
        """Writes the report in the format of the file name's suffix.

        Args:
            path: A file name with `.html`, `.txt`, `.md` or `.json`.

        Raises:
            DataError: It has another suffix, or cannot be written.
            StoreError: An object store refuses it.
        """
        renderers: dict[str, Callable[[], str]] = {
            ".html": lambda: self.html,
            ".txt": lambda: self.text,
            ".md": lambda: to_markdown(self.report),
            ".json": self._json,
        }
        suffix = Path(path).suffix
        if suffix not in renderers:
            endings = ", ".join(renderers)
            raise DataError(f"{path}: a report's file name ends with one of {endings}. Rename it.")
        text = renderers[suffix]()
        try:
            write_texts({str(path): text})
        except DataError as error:
            why = reason(error.__cause__) if isinstance(error.__cause__, Exception) else str(error)
            raise DataError(
                f"{path} cannot be written ({why}). Free some space, allow writing there, or "
                "save it elsewhere."
            ) from error

    def _json(self) -> str:
        return json.dumps(self.report.to_json(), indent=2, default=str) + "\n"

    def _repr_html_(self) -> str:
        # In a frame, so that page and notebook do not share styles.
        style = "width: 100%; height: 40rem; border: 0"
        return f'<iframe title="Back-test" srcdoc="{escape(self.html)}" style="{style}"></iframe>'


def back_test(
    model: "FittedModel",
    rows: pl.DataFrame | pl.LazyFrame,
    settings: Settings,
    *,
    as_of: date,
    name: str = UNSAVED,
) -> BackTest:
    """Predicts subscriptions with a model and compares the predictions with their outcomes.

    Args:
        model: The model, which must not have been fitted on these rows.
        rows: A feature table with labels.
        settings: The game's settings: the costs and gains of a campaign, and the segments to
            report. The campaign contacts subscriptions at or above the break-even probability.
        as_of: The day by which the labels were known.
        name: The name of the model in the report.

    Raises:
        DataError: There are no rows, or a column is missing or holds an invalid value.
        ModelError: The model cannot predict these rows.
    """
    from churnlib.metrics.campaign import evaluate_campaign
    from churnlib.metrics.evaluate import evaluate
    from churnlib.metrics.few_outcomes import require_outcomes
    from churnlib.metrics.profit import break_even
    from churnlib.metrics.segments import breakdown
    from churnlib.model.fitted_model import FittedModel
    from churnlib.model.importance import permutation_importance
    from churnlib.model.pooling import describe_pooled
    from churnlib.model.predict import predict_in_parts
    from churnlib.schemas.validation import (
        as_frame,
        check_labels,
        check_segment_columns,
        first_and_last,
        require,
    )

    check_type(model, FittedModel, "back_test: model")
    evaluation, offer = settings.evaluation, settings.campaign.offer
    rows = as_frame(rows, TESTED)
    require(rows.columns, (*NEEDED, LABEL), TESTED)
    check_labels(rows[LABEL])
    check_segment_columns(rows, evaluation.segment_columns, f"{TESTED} (evaluation.segments)")
    if rows.is_empty():
        raise DataError(f"{settings.game}: there are no rows to test the model on.")
    with error_prefix(settings.game):
        scored = predict_in_parts(model, rows, also=evaluation.segment_columns).rows
    threshold = break_even(offer)
    scores = evaluate(scored, threshold=threshold, base_rate=model.base_rate)
    importance = permutation_importance(model, rows)
    pooled = describe_pooled(model.schema.to_json())
    report = Report(
        name="score_report",
        game=settings.game,
        as_of=as_of,
        window=first_and_last(rows[day_column(rows.columns)]),
        horizon_months=settings.horizon_months,
        model_version=name,
        groups=require_outcomes(
            {group: metrics.to_json() for group, metrics in scores.items()},
            evaluation.min_outcomes,
        ),
        campaign=evaluate_campaign(scored, offer, threshold, "break_even").to_json(),
        importance=[feature.to_json() for feature in importance],
        changes=changes(settings),
        grain=settings.cohort.grain,
        facts={"pooled categories": pooled} if pooled else {},
        **breakdown(scored, evaluation.segment_columns, evaluation.most_values),
    )
    return BackTest(scored, scores, report)
