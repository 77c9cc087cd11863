"""The orchestration: a module per flow, and the one task decorator."""

import sys
from importlib import import_module
from typing import NamedTuple, NoReturn

from flows.engine.memory import limit_memory

limit_memory()  # Before NumPy and Polars are imported.


class BaseFlow(NamedTuple):
    """A base flow, as the command line, the deployments and the map describe it.

    Attributes:
        layer: The layer of the data folder that its output belongs to.
        output: The output's file name, as a pattern.
        has_composite: Whether its module has a second flow, `<name>_from_raw`, which builds the
            standard features first.
    """

    layer: str
    output: str
    has_composite: bool


FLOWS = {
    "standard_features": BaseFlow("03_primary", "standard_features.parquet", has_composite=False),
    "train": BaseFlow("06_models", "[!.]*/manifest.json", has_composite=True),
    "score": BaseFlow("08_reporting", "score_report.json", has_composite=True),
    "batch_predict": BaseFlow("07_model_output", "predictions_*.parquet", has_composite=False),
    "batch_score": BaseFlow("08_reporting", "batch_score_report_*.json", has_composite=True),
}
"""The base flows by module, in the order in which a game's data pass through them."""

COMPOSITES = tuple(name for name, flow in FLOWS.items() if flow.has_composite)
"""The base flows that have a composite."""


def run_command(command: str) -> NoReturn:
    """Ends the process with the exit status of `churn <command>`, called with its arguments.

    This is what `python -m flows.<module>` does. The command line imports the flows, so they find
    it by name.
    """
    raise SystemExit(import_module("flows.cli.main").main([command, *sys.argv[1:]]))
