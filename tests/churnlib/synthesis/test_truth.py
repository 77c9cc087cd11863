"""The truth: it follows from visible facts, and churn follows from it."""

from collections import defaultdict
from dataclasses import replace
from datetime import date
from statistics import fmean
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from churnlib.synthesis import PROCESSES
from churnlib.synthesis.payments import CHURN_AFTER_MONTHS
from churnlib.synthesis.process import HORIZON_MONTHS, Levels
from churnlib.synthesis.subscriptions import FIRST_MISS_SHARES
from churnlib.synthesis.truth import churn_probability
from tests.churnlib.synthesis.samples import (
    CURRENCY,
    GAMES,
    Make,
    Sample,
    labelled,
    month,
    months,
)
from tests.variants import slow_but


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("signal", slow_but(0.4, of=[1.0, 0.4]))
def test_truth_follows_from_the_tables_at_the_start(make: Make, game: str, signal: float) -> None:
    """Reads every fact from the files again, row by row, and applies the formula."""
    s = make(game, 1000, signal)
    characters = {row["char_id"]: row for row in s.characters.iter_rows(named=True)}
    balances: defaultdict[int, dict[date, dict[str, Any]]] = defaultdict(dict)
    for row in s.currency.iter_rows(named=True):
        balances[row["char_id"]][row["date"]] = row
    starts: defaultdict[int, list[date]] = defaultdict(list)
    for sub in s.subs.iter_rows(named=True):
        starts[sub["char_id"]].append(sub["sub_start_date"])

    rows = []
    for sub in s.subs.iter_rows(named=True):
        owner = characters[sub["char_id"]]
        fact = static_facts(sub, owner, starts[sub["char_id"]])
        for column in ("hard_balance", "soft_balance"):
            fact |= balance_facts(column, balances[sub["char_id"]], sub["sub_start_date"])
        rows.append(fact)
    facts = {name: np.array([row[name] for row in rows], float) for name in rows[0]}
    subs = s.subs.join(s.characters, on="char_id", maintain_order="left")
    columns = {
        "class": s.process.classes,
        "territory": s.process.territories,
        "sub_type": s.process.sub_types,
    }
    codes = {
        column: np.array([levels.names.index(name) for name in subs[column]])
        for column, levels in columns.items()
    }
    expected = churn_probability(s.process, signal, facts, codes)
    np.testing.assert_allclose(s.truth["churn_probability"], expected, atol=2e-6)
    assert expected.std() > 0.03


def static_facts(sub: dict[str, Any], owner: dict[str, Any], starts: list[date]) -> dict[str, Any]:
    """The facts of a subscription that are not about balances; None is null."""
    start, created, mastery = (
        sub["sub_start_date"],
        owner["creation_date"],
        owner["class_mastery_date"],
    )
    is_mastered = mastery is not None and mastery <= start
    earlier = [day for day in starts if day < start]
    return {
        "age_at_sub_months": months(created, start),
        "is_mastered": is_mastered,
        "months_to_mastery": months(created, mastery) if is_mastered else None,
        "sub_number": 1 + len(earlier),
        "months_since_previous_sub": months(max(earlier), start) if earlier else None,
        "sub_months": sub["sub_months"],
        "price": sub["price"],
    }


def balance_facts(
    column: str, rows: dict[date, dict[str, Any]], start: date
) -> dict[str, float | None]:
    """The facts about one balance; None is null."""
    visible = {day: row[column] for day, row in rows.items() if day <= start}
    values = [value for value in visible.values() if value is not None]
    facts: dict[str, float | None] = {f"{column}_mean": fmean(values) if values else None}
    newest = max(visible, default=None)
    now = visible[newest] if newest else None
    facts[column] = now
    for period in (1, 3, 6):
        before = [visible[day] for day in visible if newest and months(day, newest) == period]
        known = bool(before) and before[0] is not None and now is not None
        facts[f"{column}_diff_{period}"] = now - before[0] if known else None
    return facts


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("signal", slow_but(1.0, of=[1.0, 0.5, 0.0]))
def test_churn_share_is_near_its_base_rate_and_stable(make: Make, game: str, signal: float) -> None:
    subs = labelled(make(game, 20_000, signal))
    yearly = subs.group_by(pl.col("sub_start_date").dt.year()).agg(pl.col("sub_churn").mean())
    assert 0.13 < subs["sub_churn"].cast(float).to_numpy().mean() < 0.17
    assert (yearly["sub_churn"] > 0.12).all()
    assert (yearly["sub_churn"] < 0.21).all()


@pytest.mark.parametrize("game", GAMES)
def test_truth_is_calibrated_and_discriminates(make: Make, game: str) -> None:
    subs = labelled(make(game, 20_000))
    label, truth = subs["sub_churn"].to_numpy(), subs["churn_probability"].to_numpy()
    for part in np.array_split(np.argsort(truth), 10):
        expected, variance = truth[part].sum(), (truth[part] * (1 - truth[part])).sum()
        assert abs(label[part].sum() - expected) < 3.5 * np.sqrt(variance)
    assert 0.77 < roc_auc_score(label, truth) < 0.83


@pytest.mark.parametrize("game", GAMES)
def test_first_miss_of_a_churn_is_distributed_over_the_first_months(make: Make, game: str) -> None:
    assert len(FIRST_MISS_SHARES) == HORIZON_MONTHS - CHURN_AFTER_MONTHS + 1
    subs = labelled(make(game, 20_000))
    churns = subs.filter("sub_churn")["churned_after"]
    shares = churns.value_counts(normalize=True).sort("churned_after")
    assert shares["churned_after"].to_list() == [3, 4, 5, 6]
    np.testing.assert_allclose(shares["proportion"], FIRST_MISS_SHARES, atol=0.03)
    late = subs.filter(pl.col("churned_after") > HORIZON_MONTHS)
    assert late.height > 0.01 * subs.height


@pytest.mark.parametrize("game", GAMES)
def test_churn_does_not_depend_on_features_without_signal(make: Make, game: str) -> None:
    s = make(game, 20_000, 0.0)
    assert s.truth["churn_probability"].unique().to_list() == [s.process.base_rate]
    subs = labelled(s).join(s.characters, on="char_id").with_columns(at=month("sub_start_date"))
    facts = subs.join(
        s.currency.with_columns(at=month("date")), on=["char_id", "at"], how="left"
    ).select(
        *CURRENCY,
        "price",
        "sub_months",
        age=pl.col("at") - month("creation_date"),
        number=pl.col("sub_start_date").rank("min").over("char_id"),
    )
    label = subs["sub_churn"].cast(float).to_numpy()
    for column in facts.columns:
        values = facts[column].cast(float).to_numpy()
        known = ~np.isnan(values)
        bound = 4 / np.sqrt(known.sum())
        assert abs(np.corrcoef(values[known], label[known])[0, 1]) < bound


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("signal", slow_but(1.0, of=[1.0, 0.0]))
def test_balances_change_once_a_churn_begins(make: Make, game: str, signal: float) -> None:
    s = make(game, 20_000, signal)
    soft, hard = (changes(s, column) for column in ("soft_balance", "hard_balance"))
    assert np.abs(soft["during"]).mean() < 0.5 * np.abs(soft["before"]).mean()
    assert hard["during"].mean() < hard["before"].mean() - 20
    standing = (hard["during"] == 0).mean()
    assert standing > 0.3 > 5 * (hard["before"] == 0).mean()


def changes(sample: Sample, column: str) -> dict[str, NDArray[Any]]:
    """Monthly changes of a balance before a churn's first missed month, and during the run."""
    fatal = labelled(sample).drop_nulls("fatal").select("char_id", "fatal")
    rows = sample.currency.with_columns(
        change=pl.col(column).diff().over("char_id"), at=month("date") - 1
    )
    joined = fatal.join(rows, on="char_id").drop_nulls("change")
    offset = pl.col("at") - pl.col("fatal")
    return {
        "before": joined.filter(offset.is_between(-2, -1))["change"].to_numpy(),
        "during": joined.filter(offset.is_between(0, 2))["change"].to_numpy(),
    }


def test_invalid_processes_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        Levels(("a", "b"), (0.5, 0.4))
    with pytest.raises(ValueError, match="effect each"):
        Levels(("a", "b"), (0.5, 0.5), effects=(1.0,))
    with pytest.raises(ValueError, match="terms below 6 months"):
        replace(PROCESSES["game1"], terms=Levels(("3", "12"), (0.5, 0.5)))
