"""The report on a training."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl

from churnlib.io import datasets
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.report.content import Report
from churnlib.report.write import write_report
from churnlib.schemas.columns import PROBABILITY, SUB_ID
from churnlib.settings import Offer
from churnlib.versions.folder import read_scored
from churnlib.versions.manifest import read_manifest
from flows.steps.at_risk import not_at_risk_warnings
from flows.steps.reports import ReportContext, model_facts
from flows.steps.runtime_code import REPORT_CODE
from flows.task import task


@task(
    reads=("06_models/models", "04_feature/train_features"),
    writes=("08_reporting/in_sample_report",),
    settings=("evaluation",),
    uses=REPORT_CODE,
)
def report_training(
    model: DatasetRef, output: Dataset, features: DatasetRef, context: ReportContext
) -> tuple[DatasetRef, ...]:
    """Reports how the model performs on the rows that it was fitted on, and on validation."""
    from churnlib.metrics.campaign import evaluate_campaign
    from churnlib.metrics.few_outcomes import require_outcomes
    from churnlib.metrics.segments import breakdown

    manifest = read_manifest(model)
    campaign, evaluation = manifest["campaign"], context.evaluation
    validation = read_scored(model, manifest).filter(slice="validation")
    segments = datasets.scan(features).select(SUB_ID, *evaluation.segments).collect()
    rows = validation.join(segments, on=SUB_ID, maintain_order="left")
    first, last = map(date.fromisoformat, manifest["window"])
    report = Report(
        name="in_sample_report",
        game=model.game,
        as_of=date.fromisoformat(manifest["as_of"]),
        window=(first, last),
        horizon_months=manifest["settings"]["horizon_months"],
        model_version=manifest["version"],
        groups=require_outcomes(manifest["metrics"]["in_sample"], evaluation.min_outcomes),
        not_at_risk=manifest["not_at_risk"],
        left_out={"not_at_risk": manifest["not_at_risk_in_validation"]},
        validation=require_outcomes(manifest["metrics"]["validation"], evaluation.min_outcomes),
        campaign=evaluate_campaign(
            validation,
            Offer(**campaign["terms"]),
            campaign["threshold"],
            campaign.get("rule"),
        ).to_json(),
        **breakdown(rows, evaluation.segments, evaluation.most_values),
        importance=manifest["importance"],
        **model_facts(manifest),
        **context.data,
        warnings=(*context.warnings, *training_warnings(manifest, validation)),
    )
    return write_report(report, output, validation)


def training_warnings(manifest: dict[str, Any], validation: pl.DataFrame) -> Iterator[str]:
    """Warns of an unreliable validation, of too small a sample, and of features left out."""
    churn_after_months = manifest["settings"]["churn_after_months"]
    yield from not_at_risk_warnings(manifest["not_at_risk"], churn_after_months)
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
