"""Whom a batch contacts, which the last back-test of its model decides."""

from dataclasses import dataclass

from churnlib.io.commands import command_line
from churnlib.io.datasets import DatasetRef
from churnlib.io.footer import facts
from churnlib.report.formatting import capital
from churnlib.settings import CampaignSettings
from churnlib.uris import name_of
from churnlib.versions.champion import champion_and_registry
from churnlib.versions.evidence import why_no_contact
from flows.engine.artifacts import show_note
from flows.engine.cache import run_logger
from flows.steps.run import Run


@dataclass(frozen=True)
class ContactPlan:
    """Whom to contact.

    Attributes:
        campaign: The offer, the rule of the threshold and the share held out.
        no_contact: Why nobody may be contacted; None if there is no reason against it.
    """

    campaign: CampaignSettings
    no_contact: str | None


def contact_plan(run: Run, model: DatasetRef) -> ContactPlan:
    """Plans whom the predictions of a version contact, by its last back-test and the gate."""
    settings, version = run.settings, name_of(model.uri)
    champion, registry = champion_and_registry(run.catalog)
    if registry.state(version, champion) not in ("champion", "former"):
        return ContactPlan(settings.campaign, "the gate has not made the model champion")
    evidence = registry.evidence.get(version)
    reason = why_no_contact(evidence, settings.contact_outcomes, settings.campaign.offer)
    return ContactPlan(settings.campaign, reason)


def announce_contacts(run: Run, predictions: DatasetRef) -> None:
    """Says whom predictions contact, or why nobody, in the log and on the run's page."""
    names = ("contacted", "no_contact", "threshold", "threshold_rule", "model_version")
    contacted, no_contact, threshold, rule, version = facts(predictions, *names)
    if no_contact:
        named = ("--model", version) if run.model else ()
        score = command_line("score", run.catalog.models(), *named)
        text = (
            f"nobody is contacted, and contact is null in all rows, because {no_contact} (model "
            f"{version}). The next back-test decides: {score}"
        )
        run_logger().warning(text)
    else:
        how = "" if threshold is None else f", from a churn probability of {threshold:.4f} on"
        text = (
            f"{contacted:,} of {predictions.rows or 0:,} subscriptions are contacted{how} ({rule})"
        )
        run_logger().info(text)
    show_note(predictions.game, "contacts", capital(text))
