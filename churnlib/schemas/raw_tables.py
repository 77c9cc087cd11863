"""The raw tables of a game, one record each."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache

import dataframely as dy
import polars as pl

from churnlib.errors import DataError, closest
from churnlib.months import month_index, month_start, months_from
from churnlib.schemas.columns import (
    CHAR_ID,
    CREATION_DATE,
    DATE,
    END_DATE,
    MASTERY_DATE,
    PRICE,
    START_DATE,
    SUB_ID,
    SUB_MONTHS,
    SUB_START_DATE,
)
from churnlib.schemas.next_start import NEXT_START_DATE, add_next_start
from churnlib.schemas.spec import (
    Check,
    DataWarning,
    Parent,
    TableSpec,
    column,
    kind_of,
)
from churnlib.settings import IdType, RawSettings
from churnlib.settings.tables import TableKind

SHOWN_CATEGORIES = 10
"""Number of categories of a closed list that a message names."""
MOST_PRICE, MOST_MONTHS, MOST_CURRENCY, MOST_UNDATED = 10**6, 120, 10**12, 10**9
"""The greatest plausible price a month, term, amount of currency, and number of kills or deaths."""
OTHER_CHARACTERS = "char_id may mean other characters in character_data"
"""The doubt where rows contradict the characters that they refer to."""
LONGEST_MONTH = timedelta(days=31)
"""The longest distance between the first days of two consecutive months."""


def beyond(most: float, *columns: str, least: float = 0) -> pl.Expr:
    """Whether the number in any of some columns is implausible; null if all are null."""
    return pl.any_horizontal(~pl.col(columns).is_between(least, most))


def after_term() -> pl.Expr:
    """The day on which a miss in the first month after its subscription's term is known."""
    term = pl.col(SUB_MONTHS).clip(0, MOST_MONTHS)
    return month_start(month_index(pl.col(SUB_START_DATE)) + term + 1)


def same_as_before(*columns: str) -> pl.Expr:
    """Whether a row has the values of the row before it in some columns; nulls are equal."""
    return pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in columns)


def first_of_month(day: pl.Expr) -> pl.Expr:
    """Must be the first day of a month."""
    return day.dt.day() == 1


def run_in_order() -> pl.Expr:
    """A run of missed months must not end before it starts."""
    return pl.col(END_DATE) >= pl.col(START_DATE)


CHARACTERS = TableSpec(
    name="character_data",
    kind="entity",
    description="A row per character.",
    columns={
        CHAR_ID: column("id", "The character", primary_key=True),
        "gender": column("category", "Gender of the character"),
        "race": column("category", "Race of the character"),
        "class": column("category", "Class of the character"),
        "territory": column("category", "Where the player plays"),
        CREATION_DATE: column("date", "Day of creation"),
        MASTERY_DATE: column("milestone", "Day of mastery; null if not mastered", nullable=True),
        "total_kills": column("undated", "Kills as of the extract; undated, hence no feature"),
        "total_deaths": column("undated", "Deaths as of the extract; undated, hence no feature"),
    },
    order=(CHAR_ID,),
    dated=CREATION_DATE,
    known_on=pl.col(CREATION_DATE),
    warnings=(
        DataWarning(
            "class mastered before the character's creation",
            pl.col(MASTERY_DATE) < pl.col(CREATION_DATE),
        ),
        DataWarning(
            f"kills or deaths below 0 or above {MOST_UNDATED:,}",
            beyond(MOST_UNDATED, "total_kills", "total_deaths"),
        ),
    ),
)

CURRENCY = TableSpec(
    name="character_currency",
    kind="history",
    description="A row per character and month.",
    columns={
        CHAR_ID: column("id", "The character", primary_key=True),
        DATE: column(
            "date",
            "First day of the month",
            primary_key=True,
            check={"first_of_month": first_of_month},
        ),
        "sub_hard": column("number", "Hard currency paid out the month before", nullable=True),
        "sub_soft": column("number", "Soft currency paid out the month before", nullable=True),
        "hard_balance": column("number", "Hard currency at the month's beginning", nullable=True),
        "soft_balance": column("number", "Soft currency at the month's beginning", nullable=True),
    },
    order=(CHAR_ID, DATE),
    dated=DATE,
    known_on=pl.col(DATE),
    parent=Parent("character_data", CHAR_ID, unknown="currency of an unknown character"),
    warnings=(
        DataWarning(
            "currency before its character's creation",
            months_from(pl.col(CREATION_DATE), pl.col(DATE)) < 0,
            parent_columns=(CREATION_DATE,),
            doubt=OTHER_CHARACTERS,
        ),
        DataWarning(
            "months missing before a currency row",
            (pl.col(CHAR_ID) == pl.col(CHAR_ID).shift())
            & (pl.col(DATE) - pl.col(DATE).shift() > LONGEST_MONTH),
        ),
        DataWarning(
            f"currency paid out below 0 or above {MOST_CURRENCY:,}",
            beyond(MOST_CURRENCY, "sub_hard", "sub_soft"),
        ),
        DataWarning(
            f"balance below -{MOST_CURRENCY:,} or above {MOST_CURRENCY:,}",
            beyond(MOST_CURRENCY, "hard_balance", "soft_balance", least=-MOST_CURRENCY),
        ),
    ),
)

SUBSCRIPTION_FACTS = {
    CHAR_ID: column("id", "The character that subscribed"),
    SUB_START_DATE: column("date", "Day of the start, on which the prediction is made"),
    "sub_type": column("category", "Kind of subscription"),
    SUB_MONTHS: column("number", "Months subscribed for", dy.Int32),
    "sub_size": column("category", "Size of the subscription"),
    PRICE: column("number", "Price a month"),
    "num_hard_currency": column("number", "Hard currency that it pays out a month"),
    "num_soft_currency": column("number", "Soft currency that it pays out a month"),
}
"""The columns of a subscription but its key."""

SUBSCRIPTIONS = TableSpec(
    name="sub_data",
    kind="subscriptions",
    description="A row per subscription.",
    columns={SUB_ID: column("id", "The subscription", primary_key=True), **SUBSCRIPTION_FACTS},
    order=(CHAR_ID, SUB_START_DATE, SUB_ID),
    dated=SUB_START_DATE,
    known_on=pl.col(SUB_START_DATE),
    parent=Parent("character_data", CHAR_ID),
    warnings=(
        DataWarning("negative price", pl.col(PRICE) < 0),
        DataWarning(f"price above {MOST_PRICE:,} a month", pl.col(PRICE) > MOST_PRICE),
        DataWarning("subscribed for less than a month", pl.col(SUB_MONTHS) < 1),
        DataWarning(
            f"subscribed for more than {MOST_MONTHS} months",
            pl.col(SUB_MONTHS) > MOST_MONTHS,
            doubt="sub_months may be in days",
        ),
        DataWarning(
            f"currency paid out below 0 or above {MOST_CURRENCY:,}",
            beyond(MOST_CURRENCY, "num_hard_currency", "num_soft_currency"),
        ),
        DataWarning(
            "subscription before its character's creation",
            pl.col(SUB_START_DATE) < pl.col(CREATION_DATE),
            parent_columns=(CREATION_DATE,),
            doubt=OTHER_CHARACTERS,
        ),
        DataWarning(
            "equal to another subscription in all columns but sub_id",
            same_as_before(*SUBSCRIPTION_FACTS),
            least_share=0.01,
            doubt="the table may have subscriptions twice, with new ids",
        ),
    ),
)

MISSES = TableSpec(
    name="sub_miss",
    kind="misses",
    description="A row per run of missed months.",
    columns={
        SUB_ID: column("id", "The subscription", primary_key=True),
        START_DATE: column("date", "First missed month", primary_key=True),
        END_DATE: column(
            "date", "Last missed month, included; null if the run goes on", nullable=True
        ),
    },
    order=(CHAR_ID, SUB_ID, START_DATE),
    dated=START_DATE,
    # A missed month is known on the first day of the next.
    known_on=month_start(month_index(pl.col(START_DATE)) + 1),
    complete_after=months_from(pl.col(START_DATE), pl.col(END_DATE)),
    parent=Parent("sub_data", SUB_ID),
    rules=(run_in_order,),
    warnings=(
        DataWarning(
            "miss before its subscription",
            months_from(pl.col(SUB_START_DATE), pl.col(START_DATE)) < 0,
            parent_columns=(SUB_START_DATE,),
            doubt="sub_id may mean other subscriptions in sub_data, or dates be written "
            "year-day-month",
        ),
        DataWarning(
            "miss that starts on the last day of a month, and counts as a miss of that month",
            pl.col(START_DATE) == pl.col(START_DATE).dt.month_end(),
            least_share=0.5,
            doubt="a time zone may have moved the first of each month to the day before",
        ),
        DataWarning(
            "miss after its subscription's term",
            months_from(pl.col(SUB_START_DATE), pl.col(END_DATE).fill_null(pl.col(START_DATE)))
            >= pl.col(SUB_MONTHS),
            parent_columns=(SUB_START_DATE, SUB_MONTHS),
            known_on=after_term(),
            doubt="end_date may be the first month after the missed ones, or sub_months too short",
        ),
        DataWarning(
            "miss without an end after its subscription's term",
            pl.col(END_DATE).is_null()
            & (months_from(pl.col(SUB_START_DATE), pl.col(START_DATE)) < pl.col(SUB_MONTHS)),
            parent_columns=(SUB_START_DATE, SUB_MONTHS),
            known_on=after_term(),
        ),
        DataWarning(
            "miss of a subscription that a newer one of its character seems to replace",
            (months_from(pl.col(SUB_START_DATE), pl.col(NEXT_START_DATE)) < pl.col(SUB_MONTHS))
            & (months_from(pl.col(NEXT_START_DATE), pl.col(END_DATE)) >= 0).fill_null(True),
            parent_columns=(SUB_START_DATE, SUB_MONTHS),
            known_on=pl.col(NEXT_START_DATE),
            beside=add_next_start,
        ),
    ),
)


TABLES = (CHARACTERS, CURRENCY, SUBSCRIPTIONS, MISSES)
"""The raw tables of every game, each after the one that it refers to."""


@dataclass(frozen=True, eq=False)
class RawTables(Mapping[str, TableSpec]):
    """The raw tables of a game by name, each after the one that it refers to."""

    specs: tuple[TableSpec, ...]

    def __getitem__(self, name: str) -> TableSpec:
        """Returns a table by name.

        Raises:
            DataError: There is no such table.
        """
        for spec in self.specs:
            if spec.name == name:
                return spec
        raise DataError(f"there is no raw table '{name}'. {closest(name, list(self))}")

    def __iter__(self) -> Iterator[str]:
        """The names, in order."""
        return (spec.name for spec in self.specs)

    def __len__(self) -> int:
        """The number of tables."""
        return len(self.specs)

    def __hash__(self) -> int:
        """Hashes the tables, so that what is derived from them can be cached."""
        return hash(self.specs)

    def of_kind(self, *kinds: TableKind) -> tuple[TableSpec, ...]:
        """The tables of some kinds, in the order of the kinds."""
        return tuple(spec for kind in kinds for spec in self.specs if spec.kind == kind)

    @property
    def characters(self) -> TableSpec:
        """The table with one row per character."""
        return self.of_kind("entity")[0]

    @property
    def subscriptions(self) -> TableSpec:
        """The table with one row per subscription."""
        return self.of_kind("subscriptions")[0]

    @property
    def misses(self) -> TableSpec:
        """The table with one row per run of missed months."""
        return self.of_kind("misses")[0]

    @property
    def history(self) -> TableSpec:
        """The table with one row per character and month."""
        return self.of_kind("history")[0]

    @property
    def ids(self) -> tuple[str, ...]:
        """The columns that are ids, in any table."""
        return tuple(dict.fromkeys(name for s in self.specs for name in s.of_kind("id")))

    def with_parents(self, specs: Iterable[TableSpec]) -> tuple[TableSpec, ...]:
        """Adds the tables that are needed to check others, each before those."""
        needed = {spec.name for spec in specs}
        for spec in reversed(self.specs):
            if spec.name in needed and spec.required_parent:
                needed.add(spec.required_parent.table)
        return tuple(spec for spec in self.specs if spec.name in needed)


def raw_tables(settings: RawSettings | None = None) -> RawTables:
    """The raw tables of a game.

    Args:
        settings: The settings of raw tables: the type of ids, which cells are null, and closed
            lists of categories. By default, ids are whole numbers, and no list is closed.
    """
    raw = settings or RawSettings()
    cells = (raw.null_values, raw.no_date)
    return _raw_tables(raw.id_type, cells, tuple(sorted(raw.categories.items())))


@cache
def _raw_tables(
    id_type: IdType,
    cells: tuple[tuple[str, ...], tuple[str, ...]],
    categories: tuple[tuple[str, tuple[str, ...]], ...],
) -> RawTables:
    closed, (null_values, no_date) = dict(categories), cells
    return RawTables(
        tuple(
            replace(
                spec,
                null_values=null_values,
                no_date=no_date,
                columns={
                    name: _configured(declared, id_type, closed.get(name))
                    for name, declared in spec.columns.items()
                },
            )
            for spec in TABLES
        )
    )


def _configured(
    declared: dy.Column, id_type: IdType, categories: tuple[str, ...] | None
) -> dy.Column:
    if kind_of(declared) == "id" and id_type == "text":
        description = declared.description or ""
        return column("id", description, dy.String, primary_key=declared.primary_key)
    if categories is not None:
        checks = declared.check if isinstance(declared.check, Mapping) else {}
        return declared.with_check({**checks, "closed_list": one_of(categories)})
    return declared


def one_of(categories: tuple[str, ...]) -> Check:
    """Makes the check that a category is on a closed list."""

    def closed_list(value: pl.Expr) -> pl.Expr:
        return value.is_in(categories)

    shown, more = ", ".join(categories[:SHOWN_CATEGORIES]), ""
    if hidden := len(categories) - len(categories[:SHOWN_CATEGORIES]):
        more = f" and {hidden:,} more"
    closed_list.__doc__ = f"Must be one of raw.categories: {shown}{more}."
    return closed_list
