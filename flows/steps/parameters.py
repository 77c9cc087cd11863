"""The parameters of all flows, as Prefect's forms show them and its server checks them.

The schema of a deployment rejects invalid parameters before a run starts. It lists the games and
settings that existed when it was deployed; the flow itself checks again, and more.
"""

from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from churnlib.errors import SettingsError
from churnlib.months import MONTH_PATTERN
from churnlib.settings import DAY_PATTERN, list_games, overrides_schema
from flows import BATCH_FLOWS


def _games() -> dict[str, Any]:
    with suppress(SettingsError):  # An installed package may have no games beside it.
        return {"enum": list(list_games())}
    return {}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


Game = Annotated[str, WithJsonSchema({"type": "string", **_games()})]
AsOf = Annotated[
    date | None,
    WithJsonSchema(_or_null({"type": "string", "format": "date", "pattern": DAY_PATTERN})),
]
if TYPE_CHECKING:  # Type checkers do not know literals that are computed.
    BatchFlow = str
else:
    BatchFlow = Literal[BATCH_FLOWS]
Month = Annotated[str, Field(pattern=MONTH_PATTERN)]
"""A month as in `2024-01`."""
Overrides = Annotated[dict[str, Any] | None, WithJsonSchema(_or_null(overrides_schema()))]
