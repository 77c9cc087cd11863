"""Settings of the raw tables and the standard features."""

from typing import Literal

from pydantic import Field

from churnlib.settings.fields import Flag, Number, Section

CategoryColumn = Literal["gender", "race", "class", "territory", "sub_type", "sub_size"]

IdType = Literal["integer", "text"]


class RawSettings(Section):
    """How the raw tables are validated."""

    id_type: IdType = "integer"
    """The type of `char_id` and `sub_id`: whole numbers, or text such as UUIDs."""
    on_bad_rows: Literal["fail", "quarantine"] = "fail"
    """Whether rows that break a rule stop the run, or are written to a separate file."""
    max_bad_share: Number = Field(default=0.01, ge=0, le=1)
    """With `quarantine`, the maximum share of a table's rows; beyond it, the run stops."""
    arrived_share: Number = Field(default=0.5, gt=0, le=1)
    """The share of the rows of the month before from which a month of the currency has arrived. The
    day of a run is the first of the latest such month, if `as_of` is null; later rows are not
    read."""
    categories: dict[CategoryColumn, tuple[str, ...]] = Field(default_factory=dict)
    """Columns with a closed list of values, any other being an error; other columns are open."""


class StandardSettings(Section):
    """Which standard features are computed."""

    undated_totals: Flag = False
    """Whether `total_kills` and `total_deaths` are features. They have no date: they are totals as
    of the extract, so they leak what happened after the day of prediction."""
