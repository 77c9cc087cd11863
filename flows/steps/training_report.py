"""The report on a training."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import polars as pl

from churnlib.features.tenure import exits_by_tenure
from churnlib.io import datasets
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.report.content import Report
from churnlib.report.write import write_report
from churnlib.schemas.columns import CAMPAIGN, PROBABILITY, SUB_ID, day_column
from churnlib.settings import grain_of
from churnlib.settings.row_words import WORDS
from churnlib.versions.compatibility import outcome_of
from churnlib.versions.folder import read_scored
from churnlib.versions.manifest import read_manifest
from churnlib.versions.threshold import contact_threshold
from flows.steps.at_risk import not_at_risk_warnings
from flows.steps.reports import TrainingContext, model_facts
from flows.steps.runtime_code import REPORT_CODE
from flows.steps.window_features import known_subs
from flows.task import task


@task(
    reads=("06_models/models", "04_feature/train_features", "03_primary/standard_features"),
    writes=("08_reporting/in_sample_report",),
    settings=("evaluation", "campaign"),
    uses=REPORT_CODE,
)
def report_training(
    model: DatasetRef,
    output: Dataset,
    features: DatasetRef,
    standard: DatasetRef,
    context: TrainingContext,
) -> tuple[DatasetRef, ...]:
    """Reports how the model performs on the rows that it was fitted on, and on validation."""
    from churnlib.metrics.campaign import evaluate_campaign
    from churnlib.metrics.few_outcomes import require_outcomes
    from churnlib.metrics.segments import breakdown

    manifest, evaluation = read_manifest(model), context.evaluation
    scored = read_scored(model, manifest)
    validation = scored.filter(slice="validation")
    threshold = contact_threshold(model, manifest, context.offer, context.rule)
    groups = {
        name: require_outcomes(
            metrics_at(threshold, manifest, name, scored), evaluation.min_outcomes
        )
        for name in manifest["metrics"]
    }
    row = [SUB_ID, day_column(validation.columns)]
    table = datasets.scan(features)
    told = (CAMPAIGN,) if CAMPAIGN in table.collect_schema() else ()
    wanted = (*evaluation.segment_columns, *told)
    others = (name for name in wanted if name not in validation.columns)
    segments = table.select(*row, *others).collect()
    rows = validation.join(segments, on=row, maintain_order="left")
    first, last = map(date.fromisoformat, manifest["window"])
    report = Report(
        name="in_sample_report",
        game=model.game,
        as_of=date.fromisoformat(manifest["as_of"]),
        window=(first, last),
        horizon_months=manifest["settings"]["horizon_months"],
        grain=grain_of(manifest["settings"]),
        model_version=manifest["version"],
        groups=groups["in_sample"],
        not_at_risk=manifest["not_at_risk"],
        left_out={"not_at_risk": manifest["not_at_risk_in_validation"]},
        validation=groups["validation"],
        campaign=evaluate_campaign(validation, context.offer, threshold, context.rule).to_json(),
        **breakdown(rows, evaluation.segment_columns, evaluation.most_values),
        survival=_survival(standard, manifest),
        importance=manifest["importance"],
        **{**model_facts(manifest, in_use=context.in_use), "changes": context.changes},
        **context.data,
        warnings=(*context.warnings, *training_warnings(manifest, validation)),
    )
    return write_report(report, output, validation)


def _survival(standard: DatasetRef, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """When the subscriptions that are known on the day of the run churn and end."""
    from churnlib.metrics.survival import survival

    settings, as_of = manifest["settings"], date.fromisoformat(manifest["as_of"])
    subs = known_subs(datasets.scan(standard), as_of)
    exits = exits_by_tenure(subs, outcome_of(settings), as_of=as_of)
    return survival(exits.collect(engine="streaming"), settings["horizon_months"])


def metrics_at(
    threshold: float | None, manifest: Mapping[str, Any], slice_name: str, scored: pl.DataFrame
) -> dict[str, Any]:
    """The metrics of a slice of the training: computed again if the threshold is another by now.

    The offer of a campaign may change without a fit; see `churnlib.versions.threshold`.

    Args:
        threshold: The lowest probability that is contacted; None if nobody is.
        manifest: The manifest of the model.
        slice_name: `in_sample` or `validation`.
        scored: The rows of the training, with their probabilities.
    """
    from churnlib.metrics.evaluate import evaluate

    recorded: dict[str, Any] = manifest["metrics"][slice_name]
    if threshold == manifest["campaign"]["threshold"]:
        return recorded
    base_rate = manifest.get("base_rates", {}).get(slice_name)
    rows = scored.filter(slice=slice_name)
    groups = evaluate(rows, threshold=threshold, base_rate=base_rate)
    return {group: scores.to_json() for group, scores in groups.items()}


def training_warnings(manifest: dict[str, Any], validation: pl.DataFrame) -> Iterator[str]:
    """Warns of an unreliable validation, of too small a sample, and of features left out."""
    outcome = outcome_of(manifest["settings"])
    row = WORDS[grain_of(manifest["settings"])].row
    yield from not_at_risk_warnings(manifest["not_at_risk"], outcome, row)
    if manifest["validation_warning"]:
        yield manifest["validation_warning"]
    sample = manifest["sample"]
    if sample["share"] < 1 and validation[PROBABILITY].n_unique() == 1:
        yield (
            "the model predicts the same probability for every subscription: its "
            f"{manifest['labelled_rows']:,} training rows may be too few; set {sample['setting']} "
            "higher"
        )
    if left_out := manifest["left_out_features"]:
        yield f"features left out, because no row has a value: {', '.join(left_out)}"
