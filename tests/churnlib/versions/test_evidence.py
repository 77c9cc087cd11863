"""Whether anyone may be contacted after the last back-test of a version."""

from typing import Any

import polars as pl
import pytest

from churnlib.settings import Offer
from churnlib.versions.evidence import Evidence, stronger, why_no_contact
from tests.churnlib.report.samples import make_report, make_scored
from tests.churnlib.versions.samples import make_evidence

DEAR = Offer(contact_cost=5.0)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"roc_auc_ci": [0.501, 0.7]},
        {"n": 60, "positives": 30},
        {"baseline_ci": None},
        {"baseline_ci": [-0.02, 0.0]},
        {"gain_ci": None},
        {"gain_ci": [-90.0, -1.0], "terms": DEAR.model_dump()},
    ],
)
def test_evidence_that_suffices(changes: dict[str, Any]) -> None:
    assert why_no_contact(make_evidence(**changes), 30, Offer()) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"roc_auc_ci": [0.5, 0.92]}, "cannot tell the model from chance: ROC AUC 0.710 (0.500 to"),
        ({"roc_auc_ci": [0.3, 0.4]}, "cannot tell the model from chance"),
        ({"roc_auc_ci": None}, "cannot tell the model from chance"),
        ({"roc_auc": None, "roc_auc_ci": None}, "cannot tell the model from chance"),
        ({"positives": 29}, "29 of 900 subscriptions churned and 871 did not, and 30 of each"),
        ({"positives": 871}, "871 of 900 subscriptions churned and 29 did not"),
        (
            {"baseline_ci": [-0.05, -0.01]},
            "significantly worse than a logistic regression, by 0.010 to 0.050 of ROC AUC",
        ),
        ({"gain_ci": [-90.0, -1.0]}, "loses money in the last back-test"),
        ({"leaks": True}, "has label leakage"),
    ],
)
def test_evidence_that_does_not_suffice_says_why(changes: dict[str, Any], reason: str) -> None:
    why = why_no_contact(make_evidence(**changes), 30, Offer())
    assert why is not None
    assert reason in why


def test_version_that_was_not_back_tested_contacts_nobody() -> None:
    assert why_no_contact(None, 1, Offer()) == "no back-test of the model is recorded"


@pytest.mark.parametrize("rows", [400, 0])
def test_evidence_is_read_from_a_report(rows: int) -> None:
    report = make_report(make_scored().head(rows), importance=()).to_json()
    evidence = Evidence.of(report, "c1", leaks=False)
    assert (evidence.n, evidence.positives) == (rows, report["general"]["positives"])
    assert evidence.roc_auc_ci == report["general"]["roc_auc_ci"]
    if rows:
        differences = report["general"]["baselines"]["logistic_regression"]["differences"]
        assert evidence.baseline_ci == differences["roc_auc"]["interval"]
        assert evidence.gain_ci == report["campaign"]["at_threshold"]["expected_gain_ci"]
    assert (why_no_contact(evidence, 30, Offer()) is None) == (rows > 0)
    assert Evidence.model_validate_json(evidence.model_dump_json()) == evidence


@pytest.mark.parametrize(
    ("positives", "earlier", "is_new"),
    [(30, 130, True), (29, 130, False), (29, 29, True), (29, None, True), (871, 130, False)],
)
def test_back_test_with_too_few_outcomes_does_not_replace_one_that_has_enough(
    positives: int, earlier: int | None, is_new: bool
) -> None:
    new = make_evidence(positives=positives, cohort="new")
    before = None if earlier is None else make_evidence(positives=earlier)
    kept, why = stronger(new, before, 30)
    assert (kept == new, why is None) == (is_new, is_new)


@pytest.mark.parametrize(
    ("changes", "earlier", "why"),
    [
        ({"as_of": "2025-02-01"}, {}, None),
        ({"as_of": "2025-01-01"}, {}, None),
        ({"as_of": "2024-12-01"}, {}, "it is as of an earlier day, 2024-12-01"),
        ({"as_of": "2024-12-01"}, {"leaks": True}, None),
        ({"as_of": "2024-12-01"}, {"positives": 3}, None),
        ({"leaks": True}, {}, "it has label leakage"),
        ({"leaks": True}, {"leaks": True}, None),
        ({"leaks": True}, {"positives": 3}, None),
    ],
)
def test_latest_back_test_that_can_judge_is_kept(
    changes: dict[str, Any], earlier: dict[str, Any], why: str | None
) -> None:
    new, before = make_evidence(cohort="new", **changes), make_evidence(**earlier)
    assert stronger(new, before, 30) == (before if why else new, why)


def test_evidence_counts_subscriptions_and_not_their_months() -> None:
    scored = make_scored(360).with_columns(sub_id=pl.col("sub_id") // 6)
    churned = scored.filter(sub_churn=1)["sub_id"].n_unique()
    report = make_report(scored)
    evidence = Evidence.of(report.to_json(), "cohort", leaks=False)
    assert report.groups["general"]["positives"] > churned
    assert (evidence.n, evidence.positives) == (60, churned)
    assert evidence.has_outcomes(min(churned, 60 - churned))
    assert not evidence.has_outcomes(min(churned, 60 - churned) + 1)
