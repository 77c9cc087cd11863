"""Whom a batch contacts, which the last back-test of its model decides."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from churnlib.io import datasets
from churnlib.io.catalog import batch_name
from churnlib.io.datasets import DatasetRef
from churnlib.io.footer import facts, optional_fact
from churnlib.report.formatting import capital
from churnlib.schemas.columns import DAY
from churnlib.settings import CampaignSettings, Settings, grain_of, words_of
from churnlib.uris import name_of
from churnlib.versions.champion import champion_and_registry
from flows.engine.artifacts import show_note
from flows.engine.cache import run_logger
from flows.steps.own_settings import deciding_command
from flows.steps.run import Run


@dataclass(frozen=True)
class ContactPlan:
    """Whom to contact.

    Attributes:
        campaign: The offer, the rule of the threshold and the share held out.
        no_contact: Why nobody may be contacted; None if there is no reason against it.
        settings: See `contact_settings`.
    """

    campaign: CampaignSettings
    no_contact: str | None
    settings: dict[str, Any]


def contact_plan(run: Run, model: DatasetRef) -> ContactPlan:
    """Plans whom the predictions of a version contact, by its last back-test and the gate."""
    settings, version = run.settings, name_of(model.uri)
    champion, registry = champion_and_registry(run.catalog)
    reason = registry.why_no_contact(
        version, champion, settings.contact_outcomes, settings.campaign.offer
    )
    return ContactPlan(settings.campaign, reason, contact_settings(settings))


def contact_settings(settings: Settings) -> dict[str, Any]:
    """The settings that decide whom predictions contact, as plain data."""
    return {
        "campaign": settings.campaign.model_dump(mode="json"),
        "champion": {"min_outcomes": settings.champion.min_outcomes},
        "evaluation": {"min_outcomes": settings.evaluation.min_outcomes},
    }


def announce_contacts(run: Run, predictions: DatasetRef) -> None:
    """Says whom predictions contact, or why nobody, in the log and on the run's page."""
    names = ("window", "contacted", "no_contact", "threshold", "threshold_rule", "model_version")
    window, contacted, no_contact, threshold, rule, version = facts(predictions, *names)
    days = tuple(map(date.fromisoformat, window))
    batch, rows = f"batch {batch_name(*days)}", f"{words_of(run.settings.cohort.grain, *days).row}s"
    if no_contact:
        text = (
            f"{batch}: nobody is contacted, and contact is null in all rows, because {no_contact} "
            f"(model {version}). The next back-test decides: {deciding_command(run, version)}"
        )
        run_logger().warning(text)
    else:
        how = "" if threshold is None else f", from a churn probability of {threshold:.4f} on"
        text = (
            f"{batch}: {contacted:,} of {predictions.rows or 0:,} {rows} are contacted{how} "
            f"({rule})"
        )
        run_logger().info(text)
    show_note(predictions.game, "contacts", capital(text))


def is_acted_on(predictions: DatasetRef) -> pl.Expr:
    """Selects the rows of a batch that people act on: by month, those of its last month."""
    if grain_of({"cohort": optional_fact(predictions, "cohort")}) != "monthly":
        return pl.lit(True)
    newest = datasets.scan(predictions).select(pl.col(DAY).max()).collect().item()
    return pl.col(DAY) == pl.lit(newest, pl.Date)
