"""Ratios of two features."""

from collections.abc import Sequence

import polars as pl

from churnlib.errors import SettingsError, closest
from churnlib.features.aggregations import LARGEST
from churnlib.schemas.columns import KEYS, LABEL
from churnlib.settings.features import Ratio


def add_ratios(rows: pl.LazyFrame, ratios: Sequence[Ratio]) -> pl.LazyFrame:
    """Adds one feature divided by another, for each of the ratios.

    Args:
        rows: Rows with the features: numbers or flags. A ratio may be of one before it.
        ratios: The ratios, in the order of their columns.

    Returns:
        The rows with a column for each ratio, Float64; null where either feature is null, or the
        divisor is 0. A ratio beyond the largest Float64 is that number.

    Raises:
        SettingsError: A ratio is of a feature that does not exist, or that is no number, or it has
            the name of another column.
    """
    columns = dict(rows.collect_schema())
    for ratio in ratios:
        _check(ratio, columns)
        of, over = (pl.col(name).cast(pl.Float64) for name in (ratio.of, ratio.over))
        quotient = (of / over).clip(-LARGEST, LARGEST)
        rows = rows.with_columns(pl.when(over != 0).then(quotient).alias(ratio.name))
        columns[ratio.name] = pl.Float64()
    return rows


def _check(ratio: Ratio, columns: dict[str, pl.DataType]) -> None:
    features = columns.keys() - {*KEYS, LABEL}
    for name in (ratio.of, ratio.over):
        if name not in features:
            raise SettingsError(
                f"features.ratios: {ratio.name} is of '{name}', and there is no such feature. "
                f"{closest(name, sorted(features))}"
            )
        if not (columns[name].is_numeric() or columns[name] == pl.Boolean):
            raise SettingsError(
                f"features.ratios: {ratio.name} is of '{name}', which is not a number but "
                f"{columns[name]}. Divide numbers or flags only."
            )
    if ratio.name in columns:
        raise SettingsError(
            f"features.ratios: there is already a column '{ratio.name}'. Rename the ratio."
        )
