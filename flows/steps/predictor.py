"""The model that predicts a batch: the model in use of a version, or the version as tested."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from churnlib.io import storage
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.footer import optional_facts
from churnlib.uris import name_of
from churnlib.versions.compatibility import (
    check_known_by,
    check_label_leakage,
    check_not_learnt,
)
from churnlib.versions.in_use import (
    AS_TESTED,
    describe_learnt,
    find_in_use,
    flow_that_fits,
    has_learnt,
    known_in_use,
    last_known_start,
    list_in_use,
)
from churnlib.versions.manifest import read_manifest
from flows.engine.cache import run_logger
from flows.steps.model_choice import check_features, requested_model
from flows.steps.run import Run


@dataclass(frozen=True)
class Predictor:
    """The model that predicts a batch.

    Attributes:
        model: The version, whose back-test decides on contacts.
        in_use: Its model in use, which predicts; None if the version itself does, as tested.
        warnings: Warnings about it.
    """

    model: DatasetRef
    in_use: DatasetRef | None
    warnings: tuple[str, ...] = ()

    @property
    def made(self) -> dict[str, str]:
        """What predictions record about it, as plain data."""
        in_use = name_of(self.in_use.uri) if self.in_use else AS_TESTED
        return {"model_version": name_of(self.model.uri), "model_in_use": in_use}


def find_predictor(run: Run, output: Dataset) -> Predictor:
    """Finds the model that predicts a batch; logs which it is, and by which labels it learnt.

    It is the newest model in use of the version that knows no label from after the day of the run,
    and has learnt of no row of the batch; without one, the version as tested. A batch that the
    version has delivered is made again by the model that made it, unless the run has `--replace`.

    Args:
        run: The run.
        output: Where the predictions are written.

    Raises:
        ModelError: There is no version; or it was trained on other features or labels, or has no
            model that does without labels from after the day of the run.
    """
    model = requested_model(run)
    manifest = read_manifest(model)
    check_features(run, manifest, "batch_predict")
    newest = _newest(run, model)
    in_use = _delivered_by(run, model, output, newest) if newest else None
    used = read_manifest(in_use) if in_use else manifest
    leaks = _leaks(run, used, allowed=run.settings.allow_label_overlap)
    what = f"by its model in use {name_of(in_use.uri)}" if in_use else "as tested"
    _log(model, f"predicts {what}, fitted on {describe_learnt(used)}")
    if newest and newest != in_use:
        learnt = describe_learnt(read_manifest(newest))
        _log(model, f"has delivered the batch so; --replace predicts it by that fitted on {learnt}")
    others = () if in_use or leaks else _as_tested_warnings(run, model, manifest)
    return Predictor(model, in_use, (*leaks, *others))


def _newest(run: Run, model: DatasetRef) -> DatasetRef | None:
    """The newest model in use that may predict; None if the version predicts as tested."""
    if run.settings.train.in_use == AS_TESTED:
        return None
    opens = run.window("batch_predict").first
    # Months of one subscription have their labels in common.
    known_by = min(opens, run.as_of) if run.settings.cohort.is_monthly else run.as_of
    found = known_in_use(model, known_by, opens)
    return found[0] if found else None


def _delivered_by(
    run: Run, model: DatasetRef, output: Dataset, newest: DatasetRef
) -> DatasetRef | None:
    """The model in use that has delivered a batch; None if the version has, as tested.

    It is the newest if the version has not delivered the batch, or by one that does not exist any
    more or may not predict on the day of the run.
    """
    if run.replace or not storage.is_file(output.uri):
        return newest
    delivered = optional_facts(output, "model_version", "model_in_use")
    if delivered["model_version"] != name_of(model.uri):
        return newest
    name = delivered["model_in_use"] or AS_TESTED  # Earlier releases predicted as tested.
    if name == AS_TESTED:
        return None
    found = find_in_use(model, name)
    may_predict = found and not _leaks(run, read_manifest(found), allowed=True)
    return found if may_predict else newest


def _leaks(run: Run, manifest: Mapping[str, Any], *, allowed: bool) -> tuple[str, ...]:
    """What a model knows that it must not know on the day of the run, or of the rows of the batch.

    Returns:
        A warning for each, if it is allowed.

    Raises:
        ModelError: There is something, and it is not allowed.
    """
    window = run.window("batch_predict")
    found = [
        check_known_by(manifest, run.as_of, allowed),
        check_not_learnt(manifest, window.first, window.setting, allowed),
    ]
    if run.settings.cohort.is_monthly and not any(found):
        # Months of one subscription have their labels in common.
        found = [check_label_leakage(manifest, window.span, window.setting, allowed)]
    return tuple(filter(None, found))


def _as_tested_warnings(run: Run, model: DatasetRef, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Warns of a champion that predicts as tested, and should not."""
    last = last_known_start(run.as_of, run.settings.horizon_months)
    is_due = run.settings.train.in_use != AS_TESTED and run.model is None
    if not is_due or has_learnt(manifest, last):
        return
    why = "it has no model in use, which learns all labels that are known"
    remedy = f"To make one: {run.command(flow_that_fits(run.catalog), '--from-raw')}"
    if list_in_use(model):
        if known_in_use(model, run.as_of) is None:  # The batch is of a day before the first.
            return
        window = run.window("batch_predict")
        why = f"its models in use have learnt rows of {window.setting}, or labels of later days"
        remedy = f"Later days of {window.setting} are predicted by them"
    yield (
        f"model {manifest['version']} predicts as tested, by labels available up to "
        f"{manifest['labels_known_by']}: {why}. {remedy}"
    )


def _log(model: DatasetRef, text: str) -> None:
    run_logger().info("model %s %s", name_of(model.uri), text)
