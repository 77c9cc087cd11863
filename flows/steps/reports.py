"""Inputs and facts shared by the tasks that write reports."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from churnlib.errors import error_prefix
from churnlib.io import storage
from churnlib.io.datasets import DatasetRef
from churnlib.model.sample import describe_sample
from churnlib.report.text import verdict_of
from churnlib.schemas.raw_tables import RawTables
from churnlib.settings import (
    CohortSettings,
    EvaluationSettings,
    Offer,
    Settings,
    ThresholdRule,
    changes,
    rows_in,
)
from churnlib.settings.outcome import OutcomeSettings
from churnlib.uris import name_of
from flows.engine.artifacts import show_report
from flows.engine.cache import run_logger
from flows.steps.raw_tables import STANDARD_KINDS
from flows.steps.run import Run, SubscriptionWindow
from flows.steps.sources import Sources


@dataclass(frozen=True)
class ReportContext:
    """Inputs of every report, in addition to models and feature tables.

    Attributes:
        evaluation: The segments to report on.
        data: Quarantined rows and data warnings; see `data_quality`.
        warnings: Warnings for the reader.
    """

    evaluation: EvaluationSettings
    data: dict[str, Any]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class TrainingContext(ReportContext):
    """Further inputs of a report on a training.

    Attributes:
        offer: Costs and benefits of a campaign.
        rule: How the lowest probability that is contacted is chosen.
        changes: The settings that differ from `base.toml`; see `churnlib.settings.changes`. The
            manifest of a cached model has those of its first run.
        in_use: Which model predicts batches if this version is champion, in words.
    """

    offer: Offer
    rule: ThresholdRule
    changes: list[dict[str, str]] | None
    in_use: str | None = None


@dataclass(frozen=True)
class ScoreContext(ReportContext):
    """Further inputs of a report on predictions.

    Attributes:
        window: The subscriptions to score.
        horizon_months: The horizon of the label.
        outcome: What counts as churn.
        cohort: Which rows a subscription has.
        offer: Costs and benefits of a campaign.
        rule: How the lowest probability that is contacted is chosen.
        allow_joblib: Whether to load model files in the joblib format, which can run any code.
        in_use: Which model predicts batches if the version that is scored is champion, in words;
            None where predictions are scored.
    """

    window: SubscriptionWindow
    horizon_months: int
    outcome: OutcomeSettings
    cohort: CohortSettings
    offer: Offer
    rule: ThresholdRule
    allow_joblib: bool
    in_use: str | None


def report_context(run: Run, sources: Sources, warnings: tuple[str, ...]) -> ReportContext:
    """Collects what a report needs from a run."""
    return ReportContext(run.settings.evaluation, data_quality(run.raw, sources), warnings)


def training_context(
    run: Run, sources: Sources, warnings: tuple[str, ...], in_use: str
) -> TrainingContext:
    """Collects what a report on a training needs from a run; see `report_context`."""
    return TrainingContext(
        **vars(report_context(run, sources, warnings)),
        offer=run.settings.campaign.offer,
        rule=run.settings.campaign.threshold,
        changes=changes(run.settings),
        in_use=in_use,
    )


def score_context(
    run: Run,
    window: SubscriptionWindow,
    sources: Sources,
    warnings: tuple[str, ...],
    in_use: str | None = None,
) -> ScoreContext:
    """Collects what a report on predictions needs from a run; see `report_context`."""
    return ScoreContext(
        **vars(report_context(run, sources, warnings)),
        window=window,
        horizon_months=run.settings.horizon_months,
        outcome=run.settings.outcome,
        cohort=run.settings.cohort,
        offer=run.settings.campaign.offer,
        rule=run.settings.campaign.threshold,
        allow_joblib=run.allow_joblib,
        in_use=in_use,
    )


def data_quality(raw: RawTables, sources: Sources) -> dict[str, Any]:
    """Quarantined rows and data warnings by table, as a report holds them.

    Args:
        raw: The game's raw tables.
        sources: The facts of raw tables; those of `STANDARD_KINDS` that are missing are reported
            as unknown.
    """
    standard = (spec.name for spec in raw.of_kind(*STANDARD_KINDS))
    unknown = dict.fromkeys(table for table in standard if table not in sources)
    return {
        fact: {**unknown, **{table: facts[fact] for table, facts in sources.items()}}
        for fact in ("quarantined", "odd")
    }


def model_facts(
    manifest: Mapping[str, Any], *inputs: DatasetRef, in_use: str | None = None
) -> dict[str, Any]:
    """Facts about a model for its report: seed, months, settings, libraries and inputs.

    Args:
        manifest: The manifest of the model; one of an older version may hold less.
        inputs: Further inputs of the report.
        in_use: Which model predicts batches, in words; None to leave it out.
    """
    from churnlib.model.calibration import describe_calibration
    from churnlib.model.pooling import describe_pooled

    first, last = manifest["window"]
    facts = {
        "trained on": rows_in(manifest["settings"], first, last),
        "labels available up to": manifest["labels_known_by"],
        "seed": manifest["seed"],
    }
    if in_use:
        facts["batches predicted by"] = in_use
    if sample := manifest.get("sample"):
        facts["sample"] = describe_sample(sample)
    if calibration := manifest.get("calibration"):
        facts["calibration"] = describe_calibration(calibration["kept"], manifest["settings"])
    if pooled := describe_pooled(manifest["features"]):
        facts["pooled categories"] = pooled
    libraries = {name: manifest["libraries"][name] for name in manifest["depends_on"]}
    return {
        "facts": facts,
        "changes": manifest.get("changes"),
        "libraries": {"python": manifest["python"], **libraries},
        "inputs": {**manifest["inputs"], **{ref.name: ref_facts(ref) for ref in inputs}},
    }


def ref_facts(ref: DatasetRef) -> dict[str, Any]:
    """Facts about a dataset for a report."""
    return {"rows": ref.rows, "fingerprint": ref.fingerprint}


def check_segments(settings: Settings) -> None:
    """Checks that segments can be reported on, before the work starts.

    Raises:
        SettingsError: See `churnlib.metrics.segments.check_segments`; the message names the game.
    """
    from churnlib.metrics.segments import check_segments

    with error_prefix(settings.game):
        check_segments(settings.evaluation.segments, settings)


_VERDICTS_ONLY = ContextVar("verdicts_only", default=False)


@contextmanager
def verdicts_only() -> Iterator[None]:
    """Shows the verdicts of reports alone in the log, where several follow one another."""
    token = _VERDICTS_ONLY.set(True)
    try:
        yield
    finally:
        _VERDICTS_ONLY.reset(token)


def show(reports: tuple[DatasetRef, ...]) -> None:
    """Shows a report in the log and on the run's page, even if it came from the cache."""
    data, text, page = (report.uri for report in reports)
    whole = storage.read_bytes(text).decode()
    if _VERDICTS_ONLY.get():
        run_logger().info("%s\n\n%s\n", page, verdict_of(whole))
    else:
        run_logger().info("%s\n\n%s", text, whole)
    show_report(reports[-1], json.loads(storage.read_bytes(data)))


def keep_reports(run: Run, model: DatasetRef, reports: tuple[DatasetRef, ...]) -> None:
    """Copies the reports on a version into its folder, because those of the next replace them."""
    version = name_of(model.uri)
    copies = {
        run.catalog.version_report(version, name_of(report.uri)).uri: report for report in reports
    }
    changed = {
        uri: storage.read_bytes(report.uri).decode()
        for uri, report in copies.items()
        if not storage.is_file(uri) or storage.fingerprint(uri) != report.fingerprint
    }
    if changed:
        storage.write_texts(changed)
