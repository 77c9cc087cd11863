"""Settings of the raw tables and the standard features."""

from typing import Literal

from pydantic import Field

from churnlib.settings.parts import Flag, Number, Section

CategoryColumn = Literal["gender", "race", "class", "territory", "sub_type", "sub_size"]

IdType = Literal["integer", "text"]


class RawSettings(Section):
    """How the raw tables are checked."""

    id_type: IdType = "integer"
    """What `char_id` and `sub_id` are: whole numbers, or text such as UUIDs."""
    on_bad_rows: Literal["fail", "quarantine"] = "fail"
    """Rows that break a rule: stop, or set them apart in a file beside the checked table."""
    max_bad_share: Number = Field(default=0.01, ge=0, le=1)
    """With `quarantine`: the share of a table's rows that may be set apart before the run stops."""
    categories: dict[CategoryColumn, tuple[str, ...]] = Field(default_factory=dict)
    """Columns whose values are a closed list; any other value is a fault. Others are open."""


class StandardSettings(Section):
    """What goes into the standard features."""

    undated_totals: Flag = False
    """Take `total_kills` and `total_deaths` as features. They carry no date: they are known as of
    the extract, hence leak what came after the day of prediction."""
