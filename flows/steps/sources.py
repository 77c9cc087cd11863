"""The raw tables behind the standard features: noted beside them, and compared later."""

import json
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from churnlib.errors import DataError, UnreadableError
from churnlib.io import datasets, storage
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.uris import name_of
from flows.steps.feeds import LABEL_FEEDS, Feeds
from flows.steps.run import Run
from flows.task import task

Sources = dict[str, dict[str, Any]]
"""The facts of raw tables, by table; see `flows.steps.raw_tables.RawTable`."""
MONTHS = "months"
"""The name of the rows by month, which the note has beside the facts."""


@task(
    reads=("03_primary/standard_features",),
    writes=("03_primary/standard_features_sources",),
)
def note_sources(features: DatasetRef, tables: Sources, output: Dataset) -> DatasetRef:
    """Notes the fingerprint of the standard features, and what they were built from.

    The facts of the raw tables are not in the footer of the features: a changed fact that changes
    no feature must not change the fingerprint.
    """
    note = {features.name: {"fingerprint": features.fingerprint}, **tables}
    storage.write_text(json.dumps(note, indent=2) + "\n", output.uri)
    return datasets.ref(output)


class _Facts(BaseModel):
    """The facts of a raw table; see `flows.steps.raw_tables.RawTable`."""

    source: str
    fingerprint: str
    rows: int
    quarantined: int
    odd: dict[str, int]
    months: dict[str, dict[str, int]]


def check_written_by_flow(features: DatasetRef, run: Run) -> None:
    """Checks that standard features are those that a flow has built, if their note exists.

    Raises:
        DataError: They are not: a copy of an earlier file, or one that something else wrote.
    """
    noted = _read_note(run).get(features.name, {}).get("fingerprint")
    if noted not in (None, features.fingerprint):
        raise DataError(
            f"{features.game}: {features.uri} is not the file that the flow standard-features has "
            f"written: {name_of(run.catalog.standard_sources().uri)} beside it describes another. "
            f"Build it again: {run.command('standard_features')}"
        )


def read_sources(run: Run) -> Sources:
    """Reads the facts of the raw tables that the standard features were built from.

    Returns an empty mapping if the note is missing or damaged: reports then lack these facts, and
    `stale_source_warnings` warns.

    Raises:
        UnreadableError: The note cannot be read.
    """
    return {table: facts.model_dump(exclude={MONTHS}) for table, facts in _tables(run).items()}


def noted_feeds(run: Run) -> Feeds:
    """Reads the rows by month of the dated raw tables behind the standard features.

    Returns an empty mapping if the note is missing or damaged.
    """
    kinds = {spec.name: spec.kind for spec in run.raw.values()}
    noted = _tables(run).items()
    return {table: facts.months for table, facts in noted if kinds.get(table) in LABEL_FEEDS}


def _tables(run: Run) -> dict[str, _Facts]:
    note = _read_note(run)
    note.pop(run.catalog.standard_features().name, None)
    try:
        return TypeAdapter(dict[str, _Facts]).validate_python(note)
    except ValidationError:
        return {}


def _read_note(run: Run) -> dict[str, Any]:
    """What was noted beside the standard features; empty if it is missing or damaged."""
    text = storage.read_if_exists(run.catalog.standard_sources().uri)
    try:
        return TypeAdapter(dict[str, dict[str, Any]]).validate_json(text or b"")
    except ValidationError:
        return {}


def stale_source_warnings(run: Run, sources: Sources) -> tuple[str, ...]:
    """Warns if raw tables have changed since the standard features were built, or may have."""
    if not sources:
        note = name_of(run.catalog.standard_sources().uri)
        return (
            f"the sources of the standard features are unknown, because {note} is missing or "
            "damaged: so are quarantined rows, data warnings, late feeds and later changes of "
            "these raw tables; --from-raw writes it again",
        )
    changed = [
        table
        for table, facts in sources.items()
        if _fingerprint(run, table) not in (facts["source"], None)
    ]
    if not changed:
        return ()
    return (
        f"{', '.join(changed)}: changed since the standard features were built; --from-raw builds "
        "them again",
    )


def _fingerprint(run: Run, table: str) -> str | None:
    try:
        return storage.fingerprint(run.catalog.raw(table, run.settings.tables[table].path).uri)
    except UnreadableError:
        raise
    except DataError:  # A run that starts from standard features may have no raw tables.
        return None
