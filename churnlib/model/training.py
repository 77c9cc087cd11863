"""Training: the validated model, which tests the configuration, and the model to keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import polars as pl

from churnlib.errors import TooFewRowsError
from churnlib.model.feature_table import FeatureTable
from churnlib.model.fit import fit
from churnlib.model.fitted_model import Calibration, FittedModel
from churnlib.model.importance import Importance, permutation_importance
from churnlib.model.predict import predict_in_parts
from churnlib.months import first_day, shift_months
from churnlib.schemas.columns import LABEL
from churnlib.settings import TrainSettings

Slice = Literal["in_sample", "validation"]


@dataclass(frozen=True)
class Training:
    """The result of training.

    Attributes:
        model: The model to keep.
        scored: The rows of the training window, with `SCORED_COLUMNS` of `churnlib.model.predict`
            and `slice`: `in_sample` predicted by the model to keep, on the rows that it was fitted
            to; `validation` predicted by the validated model, which was fitted to earlier months.
        base_rates: The share of churners among the training rows of each slice's model.
        warning: Why the metrics of the validation are optimistic; None if they are not.
        validated: The calibration of the validated model; None if there was none.
        importance: The feature importance of the validated model on its validation months. That of
            the model to keep would only show how it fits its own rows.
    """

    model: FittedModel
    scored: pl.DataFrame
    base_rates: Mapping[Slice, float | None]
    warning: str | None = None
    validated: Calibration | None = None
    importance: tuple[Importance, ...] = ()

    @property
    def calibrations(self) -> dict[str, dict[str, Any] | None]:
        """The calibration of the `kept` and the `validated` model, as plain data."""
        both = {"kept": self.model.calibration, "validated": self.validated}
        return {name: used.to_json() if used else None for name, used in both.items()}


def train(
    rows: pl.DataFrame | FeatureTable,
    settings: TrainSettings,
    window_end: date,
    seed: int,
    *,
    horizon_months: int,
) -> Training:
    """Validates the configured model on the last months of the window, then fits the model to keep.

    The validated model is fitted, as a model in use is, only to labels that are available when the
    validation months begin. If these are too few, it is fitted to all earlier months, with a
    warning; but not if subscriptions have a row for each month. Then that is an error, because the
    same churn would be in the labels of both sides.

    Args:
        rows: The feature table of the training window; rows without a label are predicted only.
        settings: See `TrainSettings`.
        window_end: The last day of the training window.
        seed: The seed of everything random.
        horizon_months: Number of months from the day of a row to its label.

    Raises:
        TooFewRowsError: A slice of the window is empty, or has only one outcome; or too few labels
            are available when the validation months begin.
        ModelError: See `fit`.
    """
    rows = FeatureTable.of(rows)
    opens = validation_opens(window_end, settings)
    early = rows.where(pl.col(rows.day) < opens)
    late = rows.where(pl.col(rows.day) >= opens)
    counts = [part.columns(LABEL)[LABEL].count() for part in (early, late)]
    if 0 in counts:
        raise TooFewRowsError(
            f"train.validation_months = {settings.validation_months} leaves {counts[0]:,} rows to "
            f"fit on before {opens} and {counts[1]:,} to validate on from then. "
            "Change it, or windows.train."
        )
    training, warning = _available_on(opens, early, settings, horizon_months)
    validated = fit(training, settings, seed, horizon_months=horizon_months)
    kept = validated
    if settings.refit:
        kept = fit(rows, settings, seed, horizon_months=horizon_months)
    in_sample = _scored(kept, rows if settings.refit else training, "in_sample")
    scored = pl.concat([in_sample, _scored(validated, late, "validation")])
    rates: dict[Slice, float | None] = {
        "in_sample": kept.base_rate,
        "validation": validated.base_rate,
    }
    importance = tuple(permutation_importance(validated, late))
    return Training(kept, scored, rates, warning, validated.calibration, importance)


def validation_opens(window_end: date, settings: TrainSettings) -> date:
    """The first day of the validation months of a training window."""
    return shift_months(first_day(window_end), 1 - settings.validation_months)


def _available_on(
    opens: date, early: FeatureTable, settings: TrainSettings, horizon_months: int
) -> tuple[FeatureTable, str | None]:
    """The rows whose labels are available on a day; if too few, all rows, with a warning.

    Raises:
        TooFewRowsError: They are too few, and the label windows of the others overlap with those of
            later rows of the same subscriptions.
    """
    known = early.where(pl.col(early.day) < shift_months(opens, 1 - horizon_months))
    labels, all_labels = (part.columns(LABEL)[LABEL].drop_nulls() for part in (known, early))
    is_monthly = early.is_monthly
    if labels.n_unique() == 2 and (is_monthly or 2 * len(labels) >= len(all_labels)):
        return known, None
    if is_monthly:
        raise TooFewRowsError(
            f"of {len(all_labels):,} earlier labels only {len(labels):,} "
            f"({int(labels.sum()):,} churned) were available when the validation opens on {opens}, "
            "and a model needs both outcomes. Let windows.train start earlier, or set "
            f"train.validation_months = {settings.validation_months} or horizon_months = "
            f"{horizon_months} lower. Other labels cannot be used with "
            'cohort.grain = "monthly": they tell the churn of the validated subscriptions.'
        )
    return early, (
        f"validation: of {len(all_labels):,} earlier labels only {len(labels):,} were available "
        f"when it opens on {opens}, too few to train on; its model was trained on all, so its "
        "metrics are optimistic"
    )


def _scored(model: FittedModel, rows: FeatureTable, part: Slice) -> pl.DataFrame:
    scored = predict_in_parts(model, rows)
    return scored.rows.with_columns(slice=pl.lit(part))
