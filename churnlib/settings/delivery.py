"""Settings of the delivery of predictions."""

from typing import Annotated

from pydantic import AfterValidator, Field

from churnlib.settings.databases import check_database, is_database
from churnlib.settings.fields import OperatorOnly, Section
from churnlib.uris import check_uri, is_remote


def _checked(place: str) -> str:
    if is_database(place):
        return check_database(place)
    if is_remote(place):
        check_uri(place)
    return place


class DeliverySettings(Section):
    """Where predictions are delivered, besides the data folder.

    The predictions of a batch replace those of the same game and month, all at once.
    """

    to: Annotated[
        str | None,
        Field(min_length=1),
        AfterValidator(lambda place: place and _checked(place)),
        OperatorOnly("it would write wherever the worker may"),
    ] = None
    """A database, such as `postgresql://host/game`, `sqlite:///game.db` or `duckdb:///game.duckdb`,
    with credentials from the environment; or a folder, which then has a CSV file of each batch.
    Paths are relative to the data folder. Nowhere if null."""
    table: Annotated[
        str,
        Field(pattern=r'^[^."\s]+(\.[^."\s]+){0,2}$', max_length=200),
        OperatorOnly("it would replace rows of another table"),
    ] = "predictions"
    """The table of the database, such as `churn.predictions`. It is created if it does not
    exist."""
