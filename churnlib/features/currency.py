"""Currency features: what the monthly balances looked like on the day of prediction."""

from collections.abc import Callable
from datetime import date

import polars as pl

from churnlib.features.calendar import month_index, months_from
from churnlib.settings import Aggregation, AggregationFunction, CurrencySettings, Difference

CURRENCY_COLUMNS = ("sub_hard", "sub_soft", "hard_balance", "soft_balance")


def add_currency_features(
    subs: pl.LazyFrame, currency: pl.LazyFrame, settings: CurrencySettings, *, as_of: date
) -> pl.LazyFrame:
    """Adds the configured currency features, point-in-time.

    A currency row is visible to a subscription if it is dated on or before its start and, with
    `lookback_months`, fewer months before it.

    Args:
        subs: A row a subscription, with `char_id`, `sub_id` and `sub_start_date`.
        currency: `character_currency`, a row a character and month.
        settings: Which features.
        as_of: The day of the run; later rows are not read.

    Returns:
        The rows of `subs`, sorted by character, start and subscription, with the columns of
        `settings.feature_names`: Float64, but `currency_age_months` and counts Int32. All are
        null where no row is visible; for nulls within the rows see `CurrencySettings`.
    """
    keys = ("char_id", "sub_start_date", "sub_id")
    features = (
        subs.select(keys)
        .sort(keys)
        .join(
            currency.filter(pl.col("date") <= as_of)
            .select("char_id", "date", *_filled(settings))
            .sort("char_id", "date"),
            on="char_id",
            maintain_order="left_right",
        )
        .filter(_visible(settings.lookback_months))
        .with_columns(_month=month_index(pl.col("date")))
        .group_by(keys, maintain_order=True)
        .agg(_per_subscription(settings))
        .select("sub_id", *_results(settings))
    )
    return subs.sort(keys).join(features, on="sub_id", how="left", maintain_order="left")


def _filled(settings: CurrencySettings) -> list[pl.Expr]:
    fills = {column: fill.value for fill in settings.fill_values for column in fill.columns}
    return [
        pl.col(column).fill_null(fills[column]) if column in fills else pl.col(column)
        for column in CURRENCY_COLUMNS
    ]


def _visible(lookback_months: int | None) -> pl.Expr:
    visible = pl.col("date") <= pl.col("sub_start_date")
    if lookback_months is None:
        return visible
    return visible & (months_from(pl.col("date"), pl.col("sub_start_date")) < lookback_months)


def _per_subscription(settings: CurrencySettings) -> list[pl.Expr]:
    """What is gathered in one pass over the visible rows, which come in the order of their dates.

    The rows' values themselves are gathered where a result depends on the order of summing, so
    that it is the same to the bit however the work was cut up.
    """
    summed = {c for a in settings.aggregations for c in a.columns if _SUMMED & set(a.functions)}
    return [
        months_from(pl.col("date").last(), pl.col("sub_start_date").first()).alias(
            "currency_age_months"
        ),
        *(pl.col(column).last() for column in CURRENCY_COLUMNS),
        *(pl.col(column).alias(f"_{column}_rows") for column in sorted(summed)),
        *(
            _DIRECT[function](pl.col(column)).alias(f"{column}_{function}")
            for a in settings.aggregations
            for column in a.columns
            for function in a.functions
            if function in _DIRECT
        ),
        *(
            pl.col(column)
            .filter(pl.col("_month") == pl.col("_month").last() - period)
            .first()
            .alias(f"{column}_diff_{period}")
            for d in settings.differences
            for column in d.columns
            for period in d.periods
        ),
    ]


def _results(settings: CurrencySettings) -> list[pl.Expr]:
    """The features, in the order of `settings.feature_names`."""
    return [
        *(pl.col(column) for column in settings.latest),
        pl.col("currency_age_months"),
        *(_aggregated(a, column, f) for a in settings.aggregations for column in a.columns
          for f in a.functions),
        *(_changed(d, column, p) for d in settings.differences for column in d.columns
          for p in d.periods),
    ]  # fmt: skip


def _aggregated(aggregation: Aggregation, column: str, function: AggregationFunction) -> pl.Expr:
    name = f"{column}_{function}"
    rows = pl.col(f"_{column}_rows").list
    match function:
        case "mean":
            result = rows.mean()
        case "std":
            result = rows.std(ddof=1)
        case "sum":
            result = rows.sum()
        case _:
            result = pl.col(name)
    if aggregation.fill is not None and function != "count":
        result = result.fill_null(aggregation.fill)
    return result.alias(name)


def _changed(difference: Difference, column: str, period: int) -> pl.Expr:
    name = f"{column}_diff_{period}"
    change = pl.col(column) - pl.col(name)
    if difference.fill == "self":
        change = change.fill_null(pl.col(column))
    elif difference.fill is not None:
        change = change.fill_null(difference.fill)
    return change.alias(name)


_SUMMED: frozenset[AggregationFunction] = frozenset({"mean", "std", "sum"})
_DIRECT: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "max": pl.Expr.max,
    "min": pl.Expr.min,
    "first": pl.Expr.first,
    "count": lambda column: column.count().cast(pl.Int32),
}
