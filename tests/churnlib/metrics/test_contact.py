"""Contacts and the hold-out: the same characters for any month and model."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from churnlib.io.catalog import Catalog
from churnlib.io.hashing import hashes
from churnlib.metrics.campaign import choose_threshold, evaluate_campaign
from churnlib.metrics.contact import add_contact, compare_counts, compare_hold_out, is_held_out
from churnlib.metrics.profit import break_even
from churnlib.settings import Offer
from churnlib.versions.folder import save_model
from churnlib.versions.manifest import read_manifest
from churnlib.versions.threshold import contact_threshold
from tests.churnlib.model.samples import FACTS, features, usual

IDS = pl.Series(range(100_000))
DEAR = Offer(contact_cost=25.0)
TEXTS = pl.Series([f"id-{n}" for n in range(20_000)])


@pytest.mark.parametrize("ids", [IDS, TEXTS], ids=["numbers", "texts"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.05, 0.5])
def test_held_out_share_is_the_configured_one(ids: pl.Series, share: float) -> None:
    flagged = is_held_out(ids, share)
    error = (share * (1 - share) / len(ids)) ** 0.5
    assert flagged.mean() == pytest.approx(share, abs=4 * error)
    assert flagged.any() == (share > 0)


def test_hold_out_of_a_character_does_not_depend_on_others() -> None:
    whole = is_held_out(IDS, 0.05)
    assert is_held_out(IDS.reverse(), 0.05).equals(whole.reverse())
    assert is_held_out(IDS[700:900], 0.05).equals(whole[700:900])
    assert is_held_out(IDS.cast(pl.Int32), 0.05).equals(whole)
    # This hold-out is permanent: a change would invalidate every running study.
    assert IDS.filter(whole)[:5].to_list() == [28, 30, 38, 67, 85]


def test_larger_share_includes_the_smaller_hold_out() -> None:
    small, large = is_held_out(IDS, 0.05), is_held_out(IDS, 0.2)
    assert (small & ~large).sum() == 0


@pytest.mark.parametrize("ids", [IDS, TEXTS], ids=["numbers", "texts"])
def test_hold_out_is_independent_of_the_bucket_hash(ids: pl.Series) -> None:
    flagged = is_held_out(ids, 0.1).to_numpy()
    tenth = hashes(ids) // np.uint64(2**64 // 10 + 1)
    rates = np.array([flagged[tenth == n].mean() for n in range(10)])
    error = (0.09 / (len(ids) / 10)) ** 0.5
    assert np.abs(rates - 0.1).max() < 4 * error


BATCH = pl.DataFrame(
    {
        "char_id": range(1_000),
        "churn_probability": [n / 999 for n in range(1_000)],
        "sub_churn": [n % 2 for n in range(1_000)],
    }
)


def test_contact_is_the_threshold_without_the_hold_out() -> None:
    flagged = add_contact(BATCH, 500 / 999, 0.2)
    assert flagged.columns == [*BATCH.columns, "contact", "held_out"]
    assert flagged["held_out"].equals(is_held_out(BATCH["char_id"], 0.2))
    reached = pl.Series([n >= 500 for n in range(1_000)])
    assert flagged["contact"].to_list() == (reached & ~flagged["held_out"]).to_list()
    assert add_contact(BATCH, 500 / 999, 0.0)["contact"].to_list() == reached.to_list()


def test_without_a_threshold_nobody_is_contacted() -> None:
    flagged = add_contact(BATCH, None, 0.2)
    assert flagged["contact"].to_list() == [False] * 1_000
    assert flagged["held_out"].any()


@pytest.mark.parametrize("ids", [pl.Int64, pl.String])
def test_empty_batch_has_the_columns(ids: type[pl.DataType]) -> None:
    flagged = add_contact(BATCH.clear().cast({"char_id": ids}), 0.5, 0.2)
    assert flagged.schema["contact"] == flagged.schema["held_out"] == pl.Boolean


def test_hold_out_and_contacted_are_compared_at_the_same_threshold() -> None:
    flagged = add_contact(BATCH, 500 / 999, 0.2)
    unknown = pl.when(pl.col("char_id") < 990).then("sub_churn")
    compared = compare_hold_out(flagged.with_columns(sub_churn=unknown), 500 / 999)
    above = flagged[500:990]
    for name, group in (
        ("contacted", above.filter("contact")),
        ("held_out", above.filter("held_out")),
    ):
        churned = int(group["sub_churn"].sum())
        low, high = compared[name].pop("churn_rate_ci")
        assert low < churned / len(group) < high
        assert compared[name] == {
            "n": len(group),
            "churned": churned,
            "churn_rate": churned / len(group),
        }
    rates = [compared[name]["churn_rate"] for name in ("held_out", "contacted")]
    assert compared["fall"] == rates[0] - rates[1]
    assert compared["fall_ci"][0] < compared["fall"] < compared["fall_ci"][1]
    nobody = compare_hold_out(add_contact(BATCH, None, 0.2), None)
    nothing = {"n": 0, "churned": 0, "churn_rate": None, "churn_rate_ci": None}
    assert nobody == {"contacted": nothing, "held_out": nothing, "fall": None, "fall_ci": None}


def test_empty_group_has_no_reduction() -> None:
    flagged = compare_counts(contacted=(3, 20), held_out=(0, 0))
    assert flagged["contacted"]["churn_rate"] == 0.15
    assert (flagged["held_out"]["churn_rate_ci"], flagged["fall"], flagged["fall_ci"]) == (
        None,
    ) * 3


@pytest.mark.parametrize("rates", [(0.3, 0.24), (0.1, 0.1), (0.02, 0.01)])
def test_interval_of_the_reduction_has_its_nominal_coverage(rates: tuple[float, float]) -> None:
    rng = np.random.default_rng(2)
    counts = rng.binomial([60, 900], rates, (2_000, 2)).tolist()
    held = 0
    for p, q in counts:
        low, high = compare_counts(held_out=(p, 60), contacted=(q, 900))["fall_ci"]
        assert -1 <= low <= high <= 1
        held += low <= rates[0] - rates[1] <= high
    assert 0.93 < held / len(counts) < 0.99


@pytest.mark.parametrize("with_campaign", [True, False])
def test_another_offer_chooses_a_new_threshold_on_the_validation_rows(
    with_campaign: bool, tmp_path: Path
) -> None:
    model, rows = usual(), features()
    probability = pl.Series([n / 240 for n in range(240)])
    slices = ["validation"] * 120 + ["in_sample"] * 120
    scored = rows.with_columns(churn_probability=probability, slice=pl.Series(slices))
    chosen = evaluate_campaign(scored, Offer(), 0.123, "fitted").to_json(curve=False)
    facts = {**FACTS, "campaign": chosen} if with_campaign else FACTS
    saved = save_model(Catalog(str(tmp_path), "hawk").model("v1"), model, scored, rows[:9], facts)
    half = scored[:120]
    usual_best, dear_best = (choose_threshold(half, offer, "fitted") for offer in (Offer(), DEAR))
    manifest = read_manifest(saved)
    kept = contact_threshold(saved, manifest, Offer(), "fitted")
    assert kept == (0.123 if with_campaign else usual_best)
    assert contact_threshold(saved, manifest, DEAR, "fitted") == dear_best
    for offer in (Offer(), DEAR):
        assert contact_threshold(saved, manifest, offer, "break_even") == break_even(offer)
    # A threshold of an earlier version was chosen by another rule.
    earlier = {**manifest, "campaign": {**manifest.get("campaign", {}), "rule": None}}
    if with_campaign:
        assert contact_threshold(saved, earlier, Offer(), "fitted") == usual_best
    assert len({0.123, usual_best, dear_best}) == 3


def test_model_that_may_not_contact_has_null_contacts_and_the_same_hold_out() -> None:
    flagged = add_contact(BATCH, 500 / 999, 0.2, may_contact=False)
    assert flagged.schema["contact"] == pl.Boolean
    assert flagged["contact"].null_count() == len(BATCH)
    assert flagged["held_out"].equals(add_contact(BATCH, 500 / 999, 0.2)["held_out"])
