"""Builds features in buckets of characters: in this process, or on a Dask cluster."""

from collections.abc import Mapping, Sequence

from churnlib.io import buckets
from churnlib.io.buckets import Function
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.settings import EngineSettings


def build(
    function: Function,
    tables: Sequence[DatasetRef],
    target: Dataset,
    facts: Mapping[str, str],
    engine: EngineSettings,
    rows: int = 0,
) -> DatasetRef:
    """Applies a function to tables and writes the result, with identical bytes for each runner.

    Args:
        function: See `churnlib.io.buckets.Function`. Other processes must be able to import it: a
            function of a module, or a `partial` of one with plain settings.
        tables: Tables that `churnlib.io.table_writer` wrote.
        target: The place of the result.
        facts: Facts for the footer of the result.
        engine: The memory limit and the runner.
        rows: The number of rows of the result if it has more than each table; 0 otherwise.
    """
    if engine.runner == "dask":
        needed = buckets.count_for(engine.memory_mib, tables, function, rows)
        if needed > 1:
            from flows.engine.over_dask import build_over_dask

            return build_over_dask(function, tables, target, facts, engine, needed)
    return buckets.build(function, tables, target, facts, engine.memory_mib, rows)
