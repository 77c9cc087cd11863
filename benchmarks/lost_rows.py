"""Measures which lost rows are found: `python -m benchmarks.lost_rows`.

Healthy sample data are drawn. Then the subscriptions that churned long ago are removed, with their
misses, or half of the misses at random. The shares of draws are counted in which older cohorts are
called too loyal (`churnlib.features.loyal_cohorts`), or misses are called late or to have a gap.
Prints two Markdown tables.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from itertools import product

import numpy as np
import polars as pl

from benchmarks.late_feeds import DAYS, SPECS, Whole, by_month
from churnlib.features.loyal_cohorts import find_loyal_cohorts
from churnlib.months import shift_months
from churnlib.raw.gaps import find_gap
from churnlib.raw.late_feeds import find_late
from churnlib.synthesis.games import STANDARD
from churnlib.synthesis.payments import CHURN_AFTER_MONTHS
from churnlib.synthesis.process import HORIZON_MONTHS
from churnlib.synthesis.span import MONTHS, month_of
from churnlib.synthesis.world import Simulation, World

SINCE = shift_months(DAYS[-1], -31)
"""The first month of the usual training window."""
PURGED = tuple(product((6, 12, 18), (1.0, 0.5)))
"""The months after which those who churned are removed, and their share that is."""
LAST = (3, 12, MONTHS)
"""The last months of which half of the misses are lost."""


def main() -> None:
    """Measures, and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--characters", type=int, nargs="+", default=[400, 1_000, 4_000])
    args = parser.parse_args()
    started, lost = time.process_time(), list[str]()
    kinds = [f"{share:.0%} after {months}" for months, share in PURGED]
    print("| characters | game | healthy | " + " | ".join(kinds) + " |")
    print("|---" * (3 + len(kinds)) + "|")
    for characters, game in product(args.characters, STANDARD):
        counts = Counter[str]()
        for number in range(args.draws):
            rng = np.random.default_rng(np.random.SeedSequence([number, characters]))
            world = Simulation(STANDARD[game], characters, 1.0, rng).run()
            counts.update(found_in(world, rng))
        shares = {what: f"{counts[what] / args.draws:.1%}" for what in counts}
        cells = (shares.get(what, "0.0%") for what in ["healthy", *kinds])
        print(f"| {characters:,} | {game} | " + " | ".join(cells) + " |", flush=True)
        cells = (shares.get(f"half of {months}", "0.0%") for months in LAST)
        lost.append(f"| {characters:,} | {game} | " + " | ".join(cells) + " |")
    print("\n| characters | game | last 3 months | last 12 months | all months |")
    print("|---|---|---|---|---|")
    print(*lost, sep="\n")
    print(f"\n{time.process_time() - started:.0f} CPU seconds")


def found_in(world: World, rng: np.random.Generator) -> Iterator[str]:
    """Names what is found in a draw."""
    subs = world.subscriptions
    starts, churned = month_of(subs["start"]), subs["fatal"] + CHURN_AFTER_MONTHS
    if is_loyal(starts, churned):
        yield "healthy"
    for months, share in PURGED:
        is_gone = (churned <= MONTHS - months) & (rng.random(len(subs)) < share)
        if is_loyal(starts[~is_gone], churned[~is_gone]):
            yield f"{share:.0%} after {months}"
    _, first, last = world.runs[world.runs[:, 2] < MONTHS].T
    for months in LAST:
        kept = (first + 1 <= MONTHS - months) | (rng.random(len(first)) < 0.5)
        rows = by_month(first[kept] + 1, (last - first)[kept])
        spec = SPECS["misses"]
        if find_late(spec, rows, DAYS[-1]) or find_gap(spec, rows, DAYS[-1]):
            yield f"half of {months}"


def is_loyal(starts: Whole, churned: Whole) -> bool:
    """Whether older cohorts are called too loyal, given the months of start and of churn."""
    subs = pl.DataFrame({"start": starts, "churned": churned})
    months = pl.col("churned") - pl.col("start")
    counts = subs.group_by(
        start_months=MONTHS - pl.col("start"),
        churn_months=pl.when(pl.col("churned") <= MONTHS).then(months),
    ).agg(subscriptions=pl.len())
    found = find_loyal_cohorts(counts, as_of=DAYS[-1], horizon_months=HORIZON_MONTHS, since=SINCE)
    return found is not None


if __name__ == "__main__":
    main()
