"""The orchestration: a module per flow, and the one task decorator."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import flows.engine.process_start  # noqa: F401  First: it notes the time.
from flows.engine.memory import limit_memory

if TYPE_CHECKING:
    from prefect import Flow

limit_memory()  # Before NumPy and Polars are imported.


class BaseFlow(NamedTuple):
    """A base flow, from which its command, deployments and documentation follow.

    Attributes:
        about: What it does, for the help and the README.
        layer: The layer of the data folder that its output belongs to.
        output: The output's file name, as a pattern.
        has_composite: Whether its module has a second flow, `<name>_from_raw`, which builds the
            standard features first.
        is_monthly: Whether it works on the batch of a month, so that `backfill` can run it.
        model: The help of its option `--model`; None if it does not take one.
        is_delivery: Whether others act on its output, so that only `--replace` changes it later.
    """

    about: str
    layer: str
    output: str
    has_composite: bool = False
    is_monthly: bool = False
    model: str | None = None
    is_delivery: bool = False


FLOWS = {
    "standard_features": BaseFlow(
        "Build the features that need no histories or events, and the day of each churn.",
        "03_primary",
        "standard_features.parquet",
    ),
    "train": BaseFlow(
        "Train a model and make it the candidate; the first becomes the champion.",
        "06_models",
        "[!.]*/manifest.json",
        has_composite=True,
    ),
    "score": BaseFlow(
        "Back-test the candidate against the champion, and promote it if it passes.",
        "08_reporting",
        "score_report.json",
        has_composite=True,
        model="Back-test this model version, and only report on it. Default: the candidate, or the "
        "champion if there is none.",
    ),
    "batch_predict": BaseFlow(
        "Predict a month's subscriptions, rank them by risk, and choose whom to contact.",
        "07_model_output",
        "predictions_*.parquet",
        is_monthly=True,
        model="The model version to use. Default: the champion.",
        is_delivery=True,
    ),
    "batch_score": BaseFlow(
        "Score the predictions of an earlier batch, now that its outcomes are known.",
        "08_reporting",
        "batch_score_report_*.json",
        has_composite=True,
        is_monthly=True,
    ),
}
"""The base flows by module, in the order in which a game's data pass through them."""

COMPOSITES = tuple(name for name, flow in FLOWS.items() if flow.has_composite)
"""The base flows that have a composite."""
BATCH_FLOWS = tuple(name for name, flow in FLOWS.items() if flow.is_monthly)
"""The base flows that work on the batch of a month."""


def find_flow(module: str, *, from_raw: bool = False) -> "Flow[..., Any]":
    """Imports the flow of a module, or its composite."""
    name = f"{module}_from_raw" if from_raw else module
    flow: Flow[..., Any] = getattr(import_module(f"flows.{module}"), name)
    return flow


def run_command(command: str) -> NoReturn:
    """Ends the process with the exit status of `churn <command>`, called with its arguments.

    This is what `python -m flows.<module>` does. The command line imports the flows, so they find
    it by name.
    """
    raise SystemExit(import_module("flows.cli.main").main([command, *sys.argv[1:]]))
