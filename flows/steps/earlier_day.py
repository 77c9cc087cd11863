"""Whether a flow can run as of an earlier day: messages suggest only days on which it can."""

from datetime import date

from churnlib.errors import ChurnlibError
from churnlib.io import storage
from churnlib.io.datasets import DatasetRef
from churnlib.io.footer import optional_fact
from churnlib.settings import WindowName, check_label_overlap
from churnlib.uris import name_of
from churnlib.versions.compatibility import has_label_leakage
from churnlib.versions.manifest import read_manifest
from churnlib.versions.model_state import ModelState
from flows.steps.model_choice import requested_model
from flows.steps.run import Run


def can_run_as_of(run: Run, flow: WindowName, day: date) -> bool:
    """Whether the models and predictions of a game allow a flow as of a day.

    No model may have label leakage on that day, the batch to score must have been predicted, and
    the batch to predict must not have been delivered by another model.

    Args:
        run: The run of the flow, which is of a later day.
        flow: The flow.
        day: The earlier day.
    """
    try:
        check_label_overlap(run.settings, day)
        first, last = getattr(run.settings.windows, flow).span(day)
        return first <= last and _has_inputs(run, flow, first, day)
    except (ChurnlibError, ValueError):
        return False


def _has_inputs(run: Run, flow: WindowName, first: date, day: date) -> bool:
    predictions = run.catalog.predictions(first)
    if flow == "batch_score":
        return storage.is_file(predictions.uri)
    if flow == "score":
        state = ModelState.read(run.catalog)
        models = [requested_model(run)] if run.model else [state.candidate, state.champion]
        return any(model and is_usable_from(run, model, first) for model in models)
    if flow == "batch_predict":
        model = requested_model(run)
        delivered = None
        if storage.is_file(predictions.uri) and not run.replace:
            delivered = optional_fact(predictions, "model_version")
        is_same = delivered in (None, name_of(model.uri))
        return is_same and is_usable_from(run, model, day)
    return True


def is_usable_from(run: Run, model: DatasetRef, first: date) -> bool:
    """Whether a model learnt no label that became available after a day, or may have."""
    return run.settings.allow_label_overlap or not has_label_leakage(read_manifest(model), first)
