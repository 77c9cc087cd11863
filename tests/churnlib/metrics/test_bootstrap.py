"""Bootstrap draws of characters: weights and totals."""

import numpy as np
import polars as pl
import pytest

from churnlib.metrics import bootstrap
from churnlib.metrics.bootstrap import DRAWS, Floats, Resampling
from tests.variants import slow_but


def test_weights_are_poisson_distributed_and_independent() -> None:
    weights = Resampling.over(pl.Series(range(2000))).weights
    assert weights.shape == (2000, DRAWS)
    assert weights.mean() == pytest.approx(1, abs=0.003)
    assert weights.var() == pytest.approx(1, abs=0.006)
    shares = [(weights == count).mean() for count in range(4)]
    assert shares == pytest.approx([0.3679, 0.3679, 0.1839, 0.0613], abs=0.002)
    assert np.abs(np.corrcoef(weights[:20]) - np.eye(20)).max() < 0.15


@pytest.mark.parametrize("cells", slow_but(3, of=[3, 500]))
def test_totals_weigh_rows_by_the_draws_of_their_character(cells: int) -> None:
    rng = np.random.default_rng(3)
    character, cell, value = rng.integers(0, 40, 300), rng.integers(0, cells, 300), rng.random(300)
    drawn = Resampling.over(pl.Series(character))
    assert drawn.weights.shape == (40, DRAWS)
    weights: Floats = drawn.weights[drawn.units]
    counts, sums = drawn.totals(cell, cells), drawn.totals(cell, cells, value)
    for n in range(cells):
        assert counts[n] == pytest.approx(weights[cell == n].sum(axis=0))
        assert sums[n] == pytest.approx(value[cell == n] @ weights[cell == n])
    assert drawn.rows == pytest.approx(weights.sum(axis=0))
    assert drawn.sums(value) == pytest.approx(value @ weights)


@pytest.mark.parametrize("ids", [[7, 3, 7, 11], ["c", "a", "c", "d"]])
def test_rows_of_a_character_share_its_draws(ids: list[object]) -> None:
    drawn = Resampling.over(pl.Series(ids))
    assert drawn.units.tolist() == [1, 0, 1, 2]
    assert drawn.count(np.array([True, False, True, False])) == 1
    part = drawn.where(np.array([True, False, False, True]))
    assert part.units.tolist() == [0, 1]
    assert (part.weights == drawn.weights[[1, 2]]).all()


def test_many_characters_are_drawn_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "MAX_UNITS", 50)
    ids = pl.Series(np.repeat(np.arange(1000), 2))
    drawn = Resampling.over(ids)
    assert len(drawn.weights) == 50
    assert (drawn.units[::2] == drawn.units[1::2]).all()
    assert set(np.bincount(drawn.units)) == {40}
    # Neighbouring characters, which may be alike, are in different groups.
    assert len(set(np.diff(drawn.units[::2]).tolist())) > 50
    # Totals of groups vary as much as totals of single characters.
    value = np.random.default_rng(1).normal(0, 1, 2000)
    spread = drawn.sums(value - value.mean()).std()
    pairs = value.reshape(-1, 2).sum(axis=1) - 2 * value.mean()
    assert spread == pytest.approx(np.sqrt((pairs**2).sum()), rel=0.3)


def test_no_rows_have_no_characters() -> None:
    drawn = Resampling.over(pl.Series([], dtype=pl.Int64))
    assert (len(drawn.units), len(drawn.weights)) == (0, 0)
