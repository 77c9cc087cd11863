"""What the standard features were built from; noted beside them, for flows that start from them."""

import json
from pathlib import Path
from typing import Any

from churnlib import storage
from churnlib.datasets import Dataset, DatasetRef
from churnlib.errors import DataError
from flows.run import Run
from flows.task import task


@task
def note_sources(tables: dict[str, dict[str, Any]], output: Dataset) -> DatasetRef:
    """Notes the facts of the raw tables that the standard features were built from.

    Not in the features' own footer: facts that change no feature must not make them other data.
    """
    storage.write_text(json.dumps(tables, indent=2) + "\n", output.uri)
    return storage.ref(output)


def standard_of(run: Run) -> DatasetRef:
    """The standard features, which an earlier flow must have built."""
    return run.existing(run.catalog.standard_features(), run.command("standard_features"))


def read_sources(run: Run) -> dict[str, dict[str, Any]]:
    """Reads what the standard features were built from: the facts of raw tables, by table.

    Raises:
        DataError: It is missing or damaged.
    """
    standard_of(run)
    place = run.existing(run.catalog.standard_sources(), run.command("standard_features"))
    try:
        sources: dict[str, dict[str, Any]] = json.loads(Path(place.uri).read_text("utf-8"))
        _ = [(facts["source"], facts["quarantined"], facts["odd"]) for facts in sources.values()]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise DataError(
            f"{place.game}: {place.uri} is damaged. Make it again: "
            f"{run.command('standard_features', '--refresh')}"
        ) from None
    return sources


def changed_sources(run: Run) -> tuple[str, ...]:
    """Warns where raw tables are others than those that the standard features were built from."""
    changed = [
        table
        for table, facts in read_sources(run).items()
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
