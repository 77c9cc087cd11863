"""What the standard features were built from; noted beside them, for flows that start from them."""

import json
from typing import Any

from pydantic import BaseModel, TypeAdapter

from churnlib.errors import DataError
from churnlib.io import datasets, storage
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.schemas.outputs import output_tables
from churnlib.uris import name_of
from flows.steps.run import Run
from flows.task import task


@task(writes=("03_primary/standard_features_sources",))
def note_sources(tables: dict[str, dict[str, Any]], output: Dataset) -> DatasetRef:
    """Notes the facts of the raw tables that the standard features were built from.

    Not in the features' own footer: facts that change no feature must not make them other data.
    """
    storage.write_text(json.dumps(tables, indent=2) + "\n", output.uri)
    return datasets.ref(output)


def standard_of(run: Run) -> DatasetRef:
    """The standard features, which an earlier flow must have built.

    Raises:
        DataError: They are missing, or not of the schema.
    """
    standard = run.existing(run.catalog.standard_features(), run.command("standard_features"))
    datasets.scan(standard, output_tables(run.settings.raw)["standard_features"].schema)
    return standard


class _Facts(BaseModel):
    """See `flows.steps.raw_tables.RawTable`."""

    source: str
    fingerprint: str
    rows: int
    quarantined: int
    odd: dict[str, int]


def read_sources(run: Run) -> dict[str, dict[str, Any]]:
    """Reads what the standard features were built from: the facts of raw tables, by table.

    Empty where the note is missing or damaged: no figure is computed from it, so its loss stops no
    run, but is warned of; see `stale_source_warnings`.
    """
    try:
        note = storage.read_bytes(run.catalog.standard_sources().uri)
        tables = TypeAdapter(dict[str, _Facts]).validate_json(note)
    except (OSError, ValueError):
        return {}
    return {table: facts.model_dump() for table, facts in tables.items()}


def stale_source_warnings(run: Run) -> tuple[str, ...]:
    """Warns where the raw tables are others than those that the standard features were built from.

    Warns, too, where these are not known.
    """
    standard_of(run)
    sources = read_sources(run)
    if not sources:
        note = name_of(run.catalog.standard_sources().uri)
        return (
            f"what the standard features were built from is not known, because {note} is missing "
            "or damaged: so neither are rows set apart, odd facts and later changes of those raw "
            "tables; --from-raw notes it anew",
        )
    changed = [
        table
        for table, facts in sources.items()
        if _fingerprint(run, table) not in (facts["source"], None)
    ]
    if not changed:
        return ()
    return (
        f"{', '.join(changed)}: not the raw data any more that the standard features were built "
        "from; --from-raw builds them anew",
    )


def _fingerprint(run: Run, table: str) -> str | None:
    try:
        return storage.fingerprint(run.catalog.raw(table).uri)
    except DataError:  # Who starts from standard features may have no raw tables.
        return None
