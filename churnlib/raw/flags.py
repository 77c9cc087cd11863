"""Flags of raw tables: what means true, and what means false."""

import polars as pl

TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
"""The words for true and false, whatever their letter case."""


def flag_of(value: pl.Expr, source: pl.DataType) -> pl.Expr:
    """Converts values to flags; null where they are none.

    Args:
        value: Flags, numbers that are 0 or 1, or text.
        source: Their type.
    """
    if source == pl.Boolean:
        return value
    if source == pl.String:
        word = value.str.to_lowercase()
        is_true, is_false = word.is_in(TRUE), word.is_in(FALSE)
    elif source.is_numeric():
        is_true, is_false = value == 1, value == 0
    else:
        return pl.lit(None, pl.Boolean)
    return pl.when(is_true).then(True).when(is_false).then(False)
