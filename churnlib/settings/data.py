"""Settings of the raw tables and the standard features."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from churnlib.settings.fields import Flag, Number, Section

IdType = Literal["integer", "text"]

NULL_VALUES = ("", "NULL", "null", "NaN", "nan", "None", r"\N")
"""The text of cells that are null, unless the settings say otherwise."""


def _word(value: Any) -> Any:
    return "null" if value is None else value  # In a game's file, "null" means no value.


def _day_text(value: Any) -> Any:
    return value.isoformat() if type(value) is date else value


NullValue = Annotated[str, BeforeValidator(_word)]
DayText = Annotated[
    str, BeforeValidator(_day_text), Field(strict=True, pattern=r"^\d{4}-\d{2}-\d{2}$")
]
"""The text of a day that need not be plausible, nor exist, such as `9999-12-31`."""


class RawSettings(Section):
    """How the raw tables are validated."""

    id_type: IdType = "integer"
    """The type of `char_id` and `sub_id`: whole numbers, or text such as UUIDs."""
    null_values: tuple[NullValue, ...] = NULL_VALUES
    """Cells that are null, in every column, besides empty ones. Cells are trimmed first."""
    no_date: tuple[DayText, ...] = ()
    """Days that mean "no date", such as 1900-01-01, and are null."""
    on_bad_rows: Literal["fail", "quarantine"] = "fail"
    """Whether rows that break a rule stop the run, or are written to a separate file."""
    max_bad_share: Number = Field(default=0.01, ge=0, le=1)
    """With `quarantine`, the maximum share of a table's rows; beyond it, the run stops."""
    max_unknown_share: Number = Field(default=0.5, ge=0, le=1)
    """The maximum share of the rows of a history, or of events, that belong to no known character;
    beyond it, the run stops."""
    unknown_parent: Literal["refuse", "keep"] = "refuse"
    """Whether a subscription of an unknown character breaks a rule, or is kept without the facts of
    its character. A miss of an unknown subscription always breaks a rule."""
    arrived_share: Number = Field(default=0.5, gt=0, le=1)
    """The share of the rows of the month before from which a month of a history has arrived. The
    day of a run is the first of the latest such month, if `as_of` is null; later rows are not
    read."""
    on_late: Literal["fail", "warn"] = "fail"
    """Whether a run stops, or warns in every report, if the last months of a table that it needs
    hold far fewer rows than those before: of subscriptions or misses for `standard-features`,
    `train`, `score` and `batch-score`, of subscriptions, histories or events for
    `batch-predict`."""
    categories: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Columns with a closed list of values, any other being an error; other columns are open."""


class StandardSettings(Section):
    """Which standard features are computed."""

    undated_totals: Flag = False
    """Whether the undated numbers of characters, such as total kills, are features. They are as of
    the extract, so they leak what happened after the day of prediction."""
