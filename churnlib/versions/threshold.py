"""The churn probability from which a campaign contacts subscribers."""

from collections.abc import Mapping
from typing import Any

from churnlib.io.datasets import DatasetRef
from churnlib.metrics.campaign import choose_threshold
from churnlib.metrics.profit import break_even
from churnlib.settings import Offer, ThresholdRule
from churnlib.versions.folder import read_scored


def contact_threshold(
    model: DatasetRef, manifest: Mapping[str, Any], offer: Offer, rule: ThresholdRule
) -> float | None:
    """The churn probability from which a campaign with this offer contacts subscribers.

    Returns:
        The break-even probability of the offer. With the rule `fitted`, the threshold in the
        manifest if it was chosen by this rule for the same offer; else the one that the version's
        validation rows give. None if it is best to contact nobody.

    Raises:
        ModelError: The version's rows have changed since they were saved.
    """
    if rule == "break_even":
        return break_even(offer)
    campaign = manifest.get("campaign")
    if campaign and campaign.get("rule") == rule and campaign["terms"] == offer.model_dump():
        threshold: float | None = campaign["threshold"]
        return threshold
    return choose_threshold(read_scored(model, manifest).filter(slice="validation"), offer, rule)
