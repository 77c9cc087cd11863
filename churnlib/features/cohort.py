"""The feature table of a cohort, in one call, and its columns."""

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from churnlib.features.activity import add_activity_features
from churnlib.features.cohort_rows import CohortRows, Span, cohort_rows
from churnlib.features.outcome import add_churned_on, add_label
from churnlib.features.python_results import PythonFeature
from churnlib.features.standard import StandardColumns, standard_features
from churnlib.schemas.columns import DAY
from churnlib.schemas.feature_names import check_names
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.validation import require
from churnlib.settings import Settings


def feature_table(
    tables: Mapping[str, pl.LazyFrame],
    settings: Settings,
    *,
    as_of: date,
    span: Span | None = None,
    functions: Sequence[PythonFeature] = (),
) -> pl.LazyFrame:
    """Builds features and labels of subscriptions, point-in-time.

    Args:
        tables: The checked raw tables of the game by name, as `read_tables` gives them.
        settings: The features, and the definition of churn.
        as_of: The day of the run; nothing dated after it is read.
        span: The first and the last day of the rows; all if None.
        functions: Functions marked with `churnlib.feature`, besides those of `games/features.py`.

    Returns:
        The rows of all subscriptions that started on or before `as_of` and whose character is
        known: one on the day of the start or, at the monthly grain, one on the first day of each
        month in which it runs; see `churnlib.features.cohort_rows.cohort_rows`. The columns are the
        standard features, `churned_on`, `day`, what the rows tell at the grain, `sub_churn` (null
        if the label is not yet available, or the subscription is not at risk) and the other
        features.

    Raises:
        DataError: A table or a column is missing.
        SettingsError: Two columns would have the same name.
    """
    check_names(settings)
    raw = raw_tables(settings)
    require(tables, raw, "the tables")
    subs = standard_features(
        tables[raw.characters.name],
        tables[raw.subscriptions.name],
        StandardColumns.of(settings),
        as_of=as_of,
    ).pipe(
        add_churned_on,
        tables[raw.misses.name],
        as_of=as_of,
        outcome=settings.outcome,
    )
    cohort = CohortRows.of(settings)
    kinds = {kind: tables[spec.name] for kind in cohort.kinds for spec in raw.of_kind(kind)}
    return (
        cohort_rows(subs, cohort, kinds, as_of=as_of, span=span)
        .pipe(
            add_label,
            as_of=as_of,
            horizon_months=settings.horizon_months,
            outcome=settings.outcome,
        )
        .pipe(add_activity_features, tables, settings, as_of=as_of, day=DAY, functions=functions)
    )


def feature_columns(settings: Settings) -> pl.Schema:
    """The columns of a feature table, keys and label included, without reading any data.

    Returns:
        Names and types of the columns of `feature_table`, in their order.
    """
    tables = raw_tables(settings)
    empty = {name: pl.LazyFrame(schema=spec.checked_types) for name, spec in tables.items()}
    # No column depends on the day.
    return feature_table(empty, settings, as_of=date(2000, 1, 1)).collect_schema()
