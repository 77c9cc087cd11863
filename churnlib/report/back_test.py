"""A back-test in one call, for scripts and notebooks."""

import json
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from churnlib.argument_checks import check_type
from churnlib.errors import DataError, SettingsError, error_prefix, reason
from churnlib.io.storage import write_texts
from churnlib.report.content import Report
from churnlib.report.text import to_text
from churnlib.schemas.columns import LABEL
from churnlib.settings import Settings, changes

if TYPE_CHECKING:
    from churnlib.metrics.evaluate import Scores
    from churnlib.model.fitted_model import FittedModel

UNSAVED = "not saved"
"""What a report calls a model that has no version."""
TESTED = "the rows to test on"
"""What messages call them."""
NEEDED = ("char_id", "sub_id", "sub_start_date", "is_first_sub")
"""The columns that they must have, besides the label and the model's features."""


@dataclass(frozen=True, repr=False)
class BackTest:
    """The predictions of a model for subscriptions with a known outcome, and their metrics.

    A notebook shows it as the page of its report.

    Attributes:
        rows: A row a subscription: keys, label, `churn_probability`, `baseline_probability`.
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
            f"  subscriptions started {first} to {last}, outcomes as of {self.report.as_of}",
        ]
        for group, scores in self.scores.items():
            counts = f"{scores.n:,} subscriptions, {scores.positives:,} churned"
            auc, interval = scores.roc_auc, scores.roc_auc_ci
            known = "" if auc is None else f", ROC AUC {auc:.4f}"
            known += "" if interval is None else " ({:.4f} to {:.4f})".format(*interval)
            lines.append(f"  {group:<15} {counts}{known}")
        return "\n".join(lines)

    @property
    def text(self) -> str:
        """The report for terminals."""
        return to_text(self.report)

    @cached_property
    def html(self) -> str:
        """The report as a page that needs no other file."""
        from churnlib.report.html import to_html

        return to_html(self.report, self.rows)

    def save(self, path: str | Path) -> None:
        """Writes the report, in the format that the name ends with.

        Args:
            path: A file that ends with `.html`, `.txt` or `.json`.

        Raises:
            DataError: It ends with something else, or cannot be written.
            StoreError: An object store does not take it.
        """
        makers = {".html": lambda: self.html, ".txt": lambda: self.text, ".json": self._json}
        suffix = Path(path).suffix
        if suffix not in makers:
            raise DataError(f"{path}: a report ends with .html, .txt or .json. Name it so.")
        made = makers[suffix]()
        try:
            write_texts({str(path): made})
        except DataError as error:
            why = reason(error.__cause__) if isinstance(error.__cause__, Exception) else str(error)
            raise DataError(
                f"{path} cannot be written ({why}). Make room or give the right to write there, or "
                "save it elsewhere."
            ) from error

    def _json(self) -> str:
        return json.dumps(self.report.to_json(), indent=2, default=str) + "\n"

    def _repr_html_(self) -> str:
        # In a frame of its own, so that page and notebook do not share their styles.
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
    """Compares the predictions of a model with the outcomes of subscriptions.

    Args:
        model: The model, which must not have been fitted to these rows.
        rows: A feature table with labels.
        settings: The game's settings: the costs of a campaign, and the segments. A campaign
            contacts from the probability on at which it breaks even.
        as_of: The day as of which the labels were available.
        name: The model's name in the report.

    Raises:
        DataError: There are no rows, or a column is missing or has invalid values.
        ModelError: The model cannot predict these rows.
    """
    from churnlib.metrics.campaign import evaluate_campaign
    from churnlib.metrics.evaluate import evaluate
    from churnlib.metrics.profit import break_even
    from churnlib.metrics.segments import breakdown
    from churnlib.model.fitted_model import FittedModel
    from churnlib.model.importance import permutation_importance
    from churnlib.model.predict import predict_in_parts
    from churnlib.schemas.validation import as_frame, check_labels, check_segment_columns, require

    check_type(model, FittedModel, "back_test: model")
    segments, offer = settings.evaluation.segments, settings.campaign.offer
    rows = as_frame(rows, TESTED)
    require(rows.columns, (*NEEDED, LABEL), TESTED)
    check_labels(rows[LABEL])
    check_segment_columns(rows, segments, f"{TESTED} (evaluation.segments)")
    first, last = rows["sub_start_date"].min(), rows["sub_start_date"].max()
    if not isinstance(first, date) or not isinstance(last, date):
        raise DataError(f"{settings.game}: there are no rows to test the model on.")
    with error_prefix(settings.game):
        scored = predict_in_parts(model, rows, also=segments).rows
    threshold = break_even(offer)
    scores = evaluate(scored, threshold=threshold, base_rate=model.base_rate)
    importance = permutation_importance(model, rows)
    report = Report(
        name="score_report",
        game=settings.game,
        as_of=as_of,
        window=(first, last),
        horizon_months=settings.horizon_months,
        model_version=name,
        groups={group: figures.to_json() for group, figures in scores.items()},
        campaign=evaluate_campaign(scored, offer, threshold).to_json(),
        importance=[feature.to_json() for feature in importance],
        changes=_changes(settings),
        **breakdown(scored, segments, settings.evaluation.most_values),
    )
    return BackTest(scored, scores, report)


def _changes(settings: Settings) -> list[dict[str, Any]] | None:
    try:
        found = changes(settings)
    except SettingsError:  # The settings came from a folder of games that is not the usual one.
        return None
    return None if found is None else [vars(change) for change in found]
