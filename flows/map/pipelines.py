"""What each flow is made of: the raw tables that it checks, its tasks, and the flows that it calls.

The graph of the pipelines follows from this and from what each task declares that it reads and
writes; see `flows.engine.node.Node`. Add a new flow or task here.
"""

from dataclasses import dataclass
from typing import Any, get_args

from prefect import Flow
from prefect.tasks import Task

from churnlib.schemas.spec import TableKind
from flows.batch_predict import batch_predict
from flows.batch_score import batch_score, batch_score_from_raw
from flows.score import score, score_from_raw
from flows.standard_features import standard_features
from flows.steps.back_test import score_model
from flows.steps.batch_report import score_batch
from flows.steps.prediction import build_predict_features, predict_batch
from flows.steps.promotion import record_comparison
from flows.steps.raw_tables import STANDARD_KINDS, check_known, check_raw, describe_table
from flows.steps.registration import register
from flows.steps.sources import note_sources
from flows.steps.standard_features import build_standard_features
from flows.steps.training import check_model, fit_model
from flows.steps.training_report import report_training
from flows.steps.window_features import build_window_features
from flows.train import train, train_from_raw

CHECKS = (check_raw, check_known, describe_table)
"""The tasks that run once for each raw table."""


@dataclass(frozen=True)
class Pipeline:
    """A flow and its parts.

    Attributes:
        flow: The flow.
        tasks: The tasks that it calls itself, in order.
        tables: The kinds of the raw tables that those of `CHECKS` run for.
        parts: The flows that it calls, in order.
    """

    flow: Flow[..., Any]
    tasks: tuple[Task[..., Any], ...]
    tables: tuple[TableKind, ...] = ()
    parts: tuple[Flow[..., Any], ...] = ()


PIPELINES = (
    Pipeline(
        standard_features,
        tasks=(*CHECKS, build_standard_features, note_sources),
        tables=STANDARD_KINDS,
    ),
    Pipeline(
        train,
        tasks=(check_model, *CHECKS, build_window_features, fit_model, report_training, register),
        tables=("history",),
    ),
    Pipeline(
        score,
        tasks=(*CHECKS, build_window_features, score_model, record_comparison),
        tables=("history",),
    ),
    Pipeline(
        batch_predict,
        tasks=(*CHECKS, build_predict_features, predict_batch),
        tables=("entity", "subscriptions", "history"),
    ),
    Pipeline(batch_score, tasks=(score_batch,)),
    Pipeline(
        train_from_raw,
        tasks=(check_model, check_raw, check_known),
        tables=get_args(TableKind),
        parts=(standard_features, train),
    ),
    Pipeline(
        score_from_raw,
        tasks=(check_raw, check_known),
        tables=get_args(TableKind),
        parts=(standard_features, score),
    ),
    Pipeline(
        batch_score_from_raw,
        tasks=(check_raw, check_known),
        tables=STANDARD_KINDS,
        parts=(standard_features, batch_score),
    ),
)
"""The base flows, then the composites."""
