"""The threshold of contact by a model version, for the offer of today."""

from churnlib.io.datasets import DatasetRef
from churnlib.metrics.campaign import choose_threshold
from churnlib.settings import Offer
from churnlib.versions.folder import read_manifest, read_scored


def threshold_of(model: DatasetRef, offer: Offer) -> float | None:
    """The probability from which on a campaign contacts by a model.

    Args:
        model: The version.
        offer: What contacting costs and brings now.

    Returns:
        The threshold in the manifest where it was chosen for the same offer; else the one that the
        version's validation rows give for this offer. Null where contacting nobody is best.

    Raises:
        ModelError: The version's manifest or rows are not as they were written.
    """
    chosen = read_manifest(model).get("campaign")
    if chosen and chosen["terms"] == offer.model_dump():
        threshold: float | None = chosen["threshold"]
        return threshold
    return choose_threshold(read_scored(model).filter(slice="validation"), offer)
