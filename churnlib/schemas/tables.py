"""The tables: their columns, types, units, keys and rules.

Each schema is at once type, validator and documentation. The raw tables carry besides their own
columns what `churnlib.raw` has marked about each row while reading it.
"""

from functools import cache
from typing import TypeVar, cast

import dataframely as dy
import polars as pl

from churnlib.errors import DataError, closest
from churnlib.settings import IdType


class RawRow(dy.Schema):
    """What is noted of every raw row while it is read; the marks are gone from checked tables."""

    source_row = dy.UInt32(
        description="Line of a CSV file on which it starts, row of a Parquet file"
    )
    unparsable = dy.String(nullable=True, description="Columns whose value is not of their type")
    unknown_category = dy.String(
        nullable=True, description="Columns with a value off a closed list"
    )
    orphan = dy.Bool(description="Whether the key it refers to is unknown")

    @dy.rule()
    def every_value_of_its_type(cls) -> pl.Expr:
        """A value cannot be read as its column's type."""
        return pl.col("unparsable").is_null()

    @dy.rule()
    def categories_on_the_list(cls) -> pl.Expr:
        """A category is not on the list that the game's settings close."""
        return pl.col("unknown_category").is_null()

    @dy.rule()
    def reference_known(cls) -> pl.Expr:
        """A row refers to a key that does not exist."""
        return ~pl.col("orphan")


class CharacterData(RawRow):
    """A row a character."""

    char_id = dy.Int64(primary_key=True, description="The character")
    gender = dy.String(description="Gender of the character")
    race = dy.String(description="Race of the character")
    class_ = dy.String(alias="class", description="Class of the character")
    territory = dy.String(description="Where the player plays")
    creation_date = dy.Date(description="Day of creation")
    class_mastery_date = dy.Date(nullable=True, description="Day of mastery; null if not mastered")
    total_kills = dy.Int64(description="Kills as of the extract; undated, hence no feature")
    total_deaths = dy.Int64(description="Deaths as of the extract; undated, hence no feature")


class CharacterCurrency(RawRow):
    """A row a character and month."""

    char_id = dy.Int64(primary_key=True, description="The character")
    date = dy.Date(primary_key=True, resolution="1mo", description="First day of the month")
    sub_hard = dy.Float64(nullable=True, description="Hard currency paid out the month before")
    sub_soft = dy.Float64(nullable=True, description="Soft currency paid out the month before")
    hard_balance = dy.Float64(nullable=True, description="Hard currency at the month's beginning")
    soft_balance = dy.Float64(nullable=True, description="Soft currency at the month's beginning")


class SubData(RawRow):
    """A row a subscription."""

    sub_id = dy.Int64(primary_key=True, description="The subscription")
    char_id = dy.Int64(description="The character that subscribed")
    sub_start_date = dy.Date(description="Day of the start, on which the prediction is made")
    sub_type = dy.String(description="Kind of subscription")
    sub_months = dy.Int32(description="Months subscribed for")
    sub_size = dy.String(description="Size of the subscription")
    price = dy.Float64(description="Price a month")
    num_hard_currency = dy.Float64(description="Hard currency that it pays out a month")
    num_soft_currency = dy.Float64(description="Soft currency that it pays out a month")


class SubMiss(RawRow):
    """A row a run of missed months."""

    sub_id = dy.Int64(primary_key=True, description="The subscription")
    start_date = dy.Date(primary_key=True, description="First missed month")
    end_date = dy.Date(description="Last missed month, included")

    @dy.rule()
    def run_ends_after_it_starts(cls) -> pl.Expr:
        """A run of missed months ends before it starts."""
        return pl.col("end_date") >= pl.col("start_date")


class StandardFeatures(dy.Schema):
    """A row a subscription, seen at its start; all months are calendar months."""

    sub_id = dy.Int64(primary_key=True, description="The subscription")
    char_id = dy.Int64(description="The character that subscribed")
    sub_start_date = dy.Date(description="Day of the start, on which the prediction is made")
    sub_type = dy.String(description="Kind of subscription")
    sub_months = dy.Int32(description="Months subscribed for")
    sub_size = dy.String(description="Size of the subscription")
    price = dy.Float64(description="Price a month")
    num_hard_currency = dy.Float64(description="Hard currency that it pays out a month")
    num_soft_currency = dy.Float64(description="Soft currency that it pays out a month")
    gender = dy.String(description="Gender of the character")
    race = dy.String(description="Race of the character")
    class_ = dy.String(alias="class", description="Class of the character")
    territory = dy.String(description="Where the player plays")
    creation_date = dy.Date(description="Day on which the character was created")
    age_at_sub_months = dy.Int32(description="Creation to start; negative in dirty data")
    is_mastered = dy.Bool(description="Whether the class was mastered by the start")
    months_to_mastery = dy.Int32(
        nullable=True, description="Creation to mastery; null if not mastered by the start"
    )
    first_sub_date = dy.Date(description="Start of the character's first subscription")
    is_first_sub = dy.Bool(description="Whether it is the first: a new character")
    sub_number = dy.Int32(min=1, description="1 + how many started strictly before")
    months_since_previous_sub = dy.Int32(
        nullable=True, description="Since the latest strictly earlier start; null for the first"
    )
    expected_revenue = dy.Float64(description="sub_months * price")
    churned_on = dy.Date(
        nullable=True,
        description="First day of the month after the missed months that are churn; null if none",
    )


class Predictions(dy.Schema):
    """A row a subscription of the batch."""

    char_id = dy.Int64(description="The character")
    sub_id = dy.Int64(primary_key=True, description="The subscription")
    sub_start_date = dy.Date(description="Day of the start")
    churn_probability = dy.Float64(min=0, max=1, description="Of churn within the horizon")
    risk_rank = dy.UInt32(unique=True, min=1, description="1 for the likeliest to churn")
    model_version = dy.String(description="The model that said so")
    baseline_probability = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="Churn by a logistic regression of the same training; null if it has none",
    )
    contact = dy.Bool(
        description="Whether a campaign contacts: at or above the model's threshold, not held out"
    )
    held_out = dy.Bool(
        description="Whether the character is never contacted, in no month and by no model"
    )


RAW_SCHEMAS: dict[str, type[RawRow]] = {
    "character_data": CharacterData,
    "character_currency": CharacterCurrency,
    "sub_data": SubData,
    "sub_miss": SubMiss,
}
"""The schema of each raw table."""

SCHEMAS: dict[str, type[dy.Schema]] = {
    **RAW_SCHEMAS,
    "standard_features": StandardFeatures,
    "predictions": Predictions,
}
"""The schema of each table whose columns do not depend on the settings."""

REFERENCES = {"sub_data": "char_id", "sub_miss": "sub_id"}
"""The column of a table that must be known in its parent table."""
PARENTS = {"sub_data": "character_data", "sub_miss": "sub_data"}
"""The tables that other tables refer to."""

CHECKED_ORDER = {
    "character_data": ("char_id",),
    "character_currency": ("char_id", "date"),
    "sub_data": ("char_id", "sub_start_date", "sub_id"),
    "sub_miss": ("char_id", "sub_id", "start_date"),
}
"""In what order the rows of one character stand in a checked table; characters stand in the order
of their hashes (`churnlib.io.buckets`)."""

MARKS = tuple(RawRow.column_names())
"""What the reader adds to a raw row."""


def raw_columns(table: str) -> tuple[str, ...]:
    """The columns of a raw table, in the order of its schema.

    Raises:
        DataError: There is no such table.
    """
    if table not in RAW_SCHEMAS:
        raise DataError(f"there is no raw table '{table}'. {closest(table, RAW_SCHEMAS)}")
    return tuple(name for name in RAW_SCHEMAS[table].column_names() if name not in MARKS)


def checked_columns(table: str) -> tuple[str, ...]:
    """The columns of a raw table after its checks: misses have their character's besides."""
    own = raw_columns(table)
    return own if "char_id" in own else (*own, "char_id")


ID_COLUMNS = ("char_id", "sub_id")
"""The columns of which the settings say whether they are whole numbers or text."""

AnySchema = TypeVar("AnySchema", bound=type[dy.Schema])


@cache
def with_ids(schema: AnySchema, id_type: IdType) -> AnySchema:
    """A table's schema, with ids of a type; as text they stand after the other columns.

    Args:
        schema: One of `SCHEMAS`, in which ids are whole numbers.
        id_type: What they are.
    """
    if id_type == "integer":
        return schema
    ids = {name: column for name, column in schema.columns().items() if name in ID_COLUMNS}
    texts = {
        name: dy.String(primary_key=column.primary_key, description=column.description)
        for name, column in ids.items()
    }
    return cast("AnySchema", type(f"{schema.__name__}OfText", (schema,), texts))


SUB_COLUMNS = raw_columns("sub_data")
"""The columns of `sub_data`."""
