"""Settings of the delivery of predictions."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from churnlib.settings.databases import DATABASES, check_database, is_database
from churnlib.settings.fields import OperatorOnly, Section
from churnlib.uris import SCHEMES, check_uri, is_remote

_TABLE = re.compile(r'[^."\s]+(\.[^."\s]+){0,2}')


def _place(place: str | None) -> str | None:
    if place is None or not is_remote(place):
        return place
    if is_database(place):
        return check_database(place)
    if (scheme := place.partition("://")[0]) not in SCHEMES:
        known = ", ".join((*DATABASES.values(), *SCHEMES.values()))
        raise ValueError(f"'{scheme}://' leads nowhere. Name a folder, or as in {known}")
    check_uri(place)
    return place


def _table(name: str) -> str:
    if not _TABLE.fullmatch(name):
        raise ValueError("should be the name of a table, such as predictions or churn.predictions")
    return name


class DeliverySettings(Section):
    """Where predictions are delivered, besides the data folder.

    The predictions of a batch replace those of the same game and month, all at once.
    """

    to: Annotated[
        str | None,
        Field(min_length=1),
        AfterValidator(_place),
        OperatorOnly("it would write wherever the worker may"),
    ] = None
    """A database, such as `postgresql://host/game`, `sqlite:///game.db` or `duckdb:///game.duckdb`,
    with credentials from the environment; or a folder, which then has a CSV file of each batch.
    Paths are relative to the data folder. Nowhere if null."""
    table: Annotated[
        str,
        Field(max_length=200),
        AfterValidator(_table),
        OperatorOnly("it would replace rows of another table"),
    ] = "predictions"
    """The table of the database, such as `churn.predictions`. It is created if it does not
    exist."""
