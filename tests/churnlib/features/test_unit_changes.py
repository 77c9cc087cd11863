"""Numbers that change their unit."""

from datetime import date

import polars as pl
import pytest

from churnlib.features.unit_changes import MIN_MONTHS, MIN_ROWS, find_unit_changes
from churnlib.months import shift_months

FIRST = date(2023, 1, 1)
PRICES = (4.99, 7.99, 7.99, 12.48, 22.48)


def rows(*factors: float, prices: tuple[float, ...] = PRICES) -> pl.LazyFrame:
    """Subscriptions of consecutive months, with prices times a factor a month."""
    return pl.LazyFrame(
        {
            "sub_id": range(len(factors) * len(prices)),
            "sub_start_date": [
                shift_months(FIRST, n).replace(day=9) for n in range(len(factors)) for _ in prices
            ],
            "sub_type": ["basic"] * len(factors) * len(prices),
            "price": [price * factor for factor in factors for price in prices],
        }
    )


def test_prices_in_cents_are_found_with_their_first_month() -> None:
    (change,) = find_unit_changes(rows(*[1] * 5, *[100] * 4))
    assert change.column == "price"
    assert change.month == date(2023, 6, 1)
    assert change.factor == pytest.approx(100)


def test_prices_that_were_in_cents_before_are_found() -> None:
    (change,) = find_unit_changes(rows(*[100] * 3, *[1] * 3))
    assert change.month == date(2023, 4, 1)
    assert change.factor == pytest.approx(0.01)


@pytest.mark.parametrize(
    "factors",
    [
        (1, 1, 1, 3, 3, 3),  # A higher price.
        (1, 1, 100, 1, 1, 1, 1),  # A campaign of a month.
        tuple(2**n for n in range(12)),  # Growth.
        (1,) * MIN_MONTHS + (100,) * (MIN_MONTHS - 1),  # Too few months to tell.
        (0, 0, 0, 0),
    ],
)
def test_other_changes_are_not(factors: tuple[float, ...]) -> None:
    assert find_unit_changes(rows(*factors)) == []


def test_months_of_few_numbers_and_nulls_do_not_count() -> None:
    few = rows(*[1] * 4, *[100] * 4, prices=PRICES[: MIN_ROWS - 1])
    assert find_unit_changes(few) == []
    empty = rows(*[1] * 4, *[100] * 4).with_columns(price=pl.lit(None, pl.Float64))
    assert find_unit_changes(empty) == []


def test_few_extreme_numbers_do_not_hide_a_change_or_make_one() -> None:
    bots = pl.when(pl.col("sub_id") % 20 == 19).then(9.2e15).otherwise("price").alias("price")
    assert find_unit_changes(rows(*[1] * 12).with_columns(bots)) == []
    found = find_unit_changes(rows(*[1] * 8, *[1_000] * 8).with_columns(bots))
    assert [(each.column, each.month) for each in found] == [("price", date(2023, 9, 1))]
