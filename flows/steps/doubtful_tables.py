"""Raw tables of which many rows have a data warning that puts the whole table in doubt."""

from collections.abc import Iterator

from flows.steps.run import Run
from flows.steps.sources import Sources

MANY = 0.05
"""The share of the rows of a table from which a run warns."""


def doubtful_table_warnings(run: Run, sources: Sources) -> tuple[str, ...]:
    """Warns of tables that contradict another, or themselves, in many rows.

    A few such rows are odd facts; many mean that ids, dates or units are not what they seem.

    Args:
        run: The run.
        sources: The facts of raw tables, by table; see `flows.steps.raw_tables.RawTable`.
    """
    return tuple(text for table in sources for text in _doubts(run, table, sources))


def _doubts(run: Run, table: str, sources: Sources) -> Iterator[str]:
    rows, odd = sources[table]["rows"], sources[table]["odd"]
    for warning in run.raw[table].warnings:
        count = odd.get(warning.text, 0)
        if warning.doubt and count and count >= MANY * rows:
            yield (
                f"{table}: {count:,} of {rows:,} rows have the data warning '{warning.text}': "
                f"{warning.doubt}. Labels and features are then wrong: compare the table with its "
                "source"
            )
