"""What the last back-test of a version showed, and whether anyone may be contacted after it.

It is kept for each version, of the latest day, and only of back-tests with the game's own settings:
a try with others does not change who is contacted.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict

from churnlib.metrics.few_outcomes import outcomes_of
from churnlib.metrics.intervals import Interval
from churnlib.metrics.ranking import CHANCE
from churnlib.settings import Offer


class Evidence(BaseModel):
    """The result of a version's last back-test, as far as it decides on contacts.

    Attributes:
        cohort: The fingerprint of the feature table that was predicted.
        window: The first and the last day of its rows.
        as_of: The day as of which their outcomes were known.
        leaks: Whether training labels became available only after the window opens.
        n: Subscriptions with a known outcome.
        positives: The number of them that churned.
        roc_auc: Their ROC AUC; None if not defined.
        roc_auc_ci: Its 95 % confidence interval.
        baseline_ci: The 95 % confidence interval of the difference in ROC AUC to a logistic
            regression; None without one.
        gain_ci: The 95 % confidence interval of the campaign's expected gain; None if not defined.
        terms: The costs and gains of contacting that `gain_ci` holds for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cohort: str
    window: tuple[date, date]
    as_of: date
    leaks: bool
    n: int
    positives: int
    roc_auc: float | None
    roc_auc_ci: Interval | None
    baseline_ci: Interval | None
    gain_ci: Interval | None
    terms: dict[str, float]

    @classmethod
    def of(cls, report: Mapping[str, Any], cohort: str, *, leaks: bool) -> "Evidence":
        """Reads the evidence in a back-test.

        Args:
            report: The back-test as plain data; see `churnlib.report.content.Report.to_json`.
            cohort: See `Evidence`.
            leaks: See `Evidence`.
        """
        scores, campaign = report["general"], report["campaign"]
        churned, stayed = outcomes_of(scores)
        baseline = scores["baselines"]["logistic_regression"] or {"differences": {}}
        difference = baseline["differences"].get("roc_auc") or {"interval": None}
        return cls(
            cohort=cohort,
            window=(report["window"]["start"], report["window"]["end"]),
            as_of=report["as_of"],
            leaks=leaks,
            n=churned + stayed,
            positives=churned,
            **{name: scores[name] for name in ("roc_auc", "roc_auc_ci")},
            baseline_ci=difference["interval"],
            gain_ci=(campaign["at_threshold"] or {}).get("expected_gain_ci"),
            terms=campaign["terms"],
        )

    def has_outcomes(self, min_outcomes: int) -> bool:
        """Whether enough subscriptions churned, and enough did not, to judge the version."""
        return min(self.positives, self.n - self.positives) >= min_outcomes

    def can_judge(self, min_outcomes: int) -> bool:
        """Whether it has enough outcomes, and no label leakage."""
        return self.has_outcomes(min_outcomes) and not self.leaks


def stronger(
    new: Evidence, earlier: Evidence | None, min_outcomes: int
) -> tuple[Evidence, str | None]:
    """The evidence to keep after a back-test.

    The new one, unless it cannot judge the version, or is of an earlier day, and the recorded one
    can judge.

    Args:
        new: The evidence of the back-test.
        earlier: What is recorded of the version; None if nothing is.
        min_outcomes: How many subscriptions must have churned, and how many must not have.

    Returns:
        The evidence, and why it is not the new one; None if it is.
    """
    if earlier is None or not earlier.can_judge(min_outcomes):
        return new, None
    if new.leaks:
        return earlier, "it has label leakage"
    if not new.has_outcomes(min_outcomes):
        return earlier, "it has too few outcomes"
    if new.as_of < earlier.as_of:
        return earlier, f"it is as of an earlier day, {new.as_of}"
    return new, None


def why_no_contact(evidence: Evidence | None, min_outcomes: int, offer: Offer) -> str | None:
    """Why nobody may be contacted by the predictions of a version; None if the evidence suffices.

    Args:
        evidence: The evidence of its last back-test; None if there was none.
        min_outcomes: How many subscriptions must have churned, and how many must not have.
        offer: The costs and gains of contacting now; a loss of a campaign with others is ignored.
    """
    if evidence is None:
        return "no back-test of the model is recorded"
    if evidence.leaks:
        return "the last back-test has label leakage"
    n, churned = evidence.n, evidence.positives
    if not evidence.has_outcomes(min_outcomes):
        return (
            f"in the last back-test {churned:,} of {n:,} subscriptions churned and "
            f"{n - churned:,} did not, and {min_outcomes:,} of each are required (the larger of "
            "champion.min_outcomes and evaluation.min_outcomes)"
        )
    if evidence.roc_auc is None or evidence.roc_auc_ci is None:
        return "the last back-test cannot tell the model from chance"
    low, high = evidence.roc_auc_ci
    if low <= CHANCE:
        return (
            "the last back-test cannot tell the model from chance: ROC AUC "
            f"{evidence.roc_auc:.3f} ({low:.3f} to {high:.3f})"
        )
    if evidence.baseline_ci and evidence.baseline_ci[1] < 0:
        low, high = evidence.baseline_ci
        return (
            "in the last back-test the model is significantly worse than a logistic regression, "
            f"by {-high:.3f} to {-low:.3f} of ROC AUC"
        )
    if evidence.gain_ci and evidence.gain_ci[1] < 0 and evidence.terms == offer.model_dump():
        return "contacting from the threshold on loses money in the last back-test"
    return None
