"""Delivered predictions: a later run replaces them only if it makes them in the same way."""

from collections.abc import Iterable, Mapping
from typing import Any

from churnlib.errors import DataError
from churnlib.io import storage
from churnlib.io.datasets import Dataset
from churnlib.io.footer import optional_fact, optional_facts
from churnlib.settings import value_text
from flows.steps.contacts import contact_settings
from flows.steps.raw_tables import RawTable
from flows.steps.run import Run


def check_delivery(run: Run, output: Dataset, predictor: Mapping[str, str]) -> None:
    """Refuses to replace the predictions of a batch, unless the run has `--replace`.

    The same model predicts the same window for the same contacts again, for example because rows
    have arrived late. The settings of features and labels are those of the model in any case.

    Args:
        run: The run.
        output: Where the predictions are written.
        predictor: The model of the run; see `flows.steps.predictor.Predictor.made`.

    Raises:
        DataError: Predictions exist that were made in another way; names the differences.
    """
    if run.replace or not storage.is_file(output.uri):
        return
    window = run.window("batch_predict")
    made = {
        **predictor,
        "window": [str(day) for day in window.span],
        **contact_settings(run.settings),
    }
    last = run.settings.cohort.last_day(window.last)
    if str(run.as_of) < min(optional_fact(output, "as_of") or "", str(last)):
        made["as_of"] = str(run.as_of)  # The window has fewer rows.
    if differences := list_differences(optional_facts(output, *made), made):
        raise DataError(
            f"{run.settings.game}: {output.uri} has been delivered, and this run would replace it "
            f"by other predictions: {'; '.join(differences)}. To replace it, add --replace; to "
            "keep it, name another data folder with --data-dir."
        )


def check_not_smaller(run: Run, output: Dataset, tables: Iterable[RawTable]) -> None:
    """Refuses to replace the predictions of a batch if subscriptions have been lost since then.

    Args:
        run: The run.
        output: Where the predictions are written.
        tables: The raw tables of the batch.

    Raises:
        DataError: Predictions exist that were made of more subscriptions.
    """
    if run.replace or not storage.is_file(output.uri):
        return
    name = run.raw.subscriptions.name
    (rows,) = (table.facts["rows"] for table in tables if table.checked.name == name)
    delivered = (optional_fact(output, "made_of") or {}).get(name, 0)
    if rows < delivered:
        raise DataError(
            f"{run.settings.game}: {output.uri} has been delivered, made of {delivered:,} rows of "
            f"{name}, and now there are {rows:,}. If rows were lost, deliver the table again; to "
            "replace the predictions, add --replace."
        )


def list_differences(delivered: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Describes how predictions were made and would be made now.

    Args:
        delivered: Facts in plain data, which may be nested; what is None or missing is unknown,
            because an earlier version of this package did not write it.
        now: The facts of a run.

    >>> list_differences({"model_version": "a", "campaign": {"cost": 1}}, {"model_version": "b",
    ... "campaign": {"cost": 2, "gain": 3}})
    ['model_version was a and is b', 'campaign.cost was 1 and is 2']
    """
    before, after = _flat(delivered), _flat(now)
    return [
        f"{path} was {value_text(was)} and is {value_text(after.get(path))}"
        for path, was in before.items()
        if was is not None and was != after.get(path)
    ]


def _flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a tree by dotted path."""
    values: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            values |= {f"{name}.{path}": inner for path, inner in _flat(value).items()}
        else:
            values[name] = value
    return values
