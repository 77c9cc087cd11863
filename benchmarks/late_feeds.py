"""Measures how often tables are called late: `python -m benchmarks.late_feeds`.

Healthy sample data are drawn, and judged on the last day and on the first day of each month of the
year before. Then rows of the last months are removed, and the share of draws in which this is found
is counted: misses that began in these months, misses that ended in them (as if runs were delivered
when they end), and subscriptions. Prints two Markdown tables.
"""

import argparse
import time
from collections import Counter
from collections.abc import Mapping
from datetime import date
from itertools import product

import numpy as np
from numpy.typing import NDArray

from churnlib.raw.late_feeds import MonthlyRows, find_late
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.spec import TableSpec
from churnlib.settings import load_settings
from churnlib.synthesis.games import STANDARD
from churnlib.synthesis.span import MONTHS, STARTS, month_of
from churnlib.synthesis.world import Simulation, World

Whole = NDArray[np.int64]
SPECS: Mapping[str, TableSpec] = {
    spec.kind: spec for spec in raw_tables(load_settings("game1")).specs
}
DAYS = [date.fromisoformat(str(np.datetime64(int(day), "D"))) for day in STARTS]
"""The first day of each month, and the last day of the data."""
REMOVED = ("misses that began", "misses that ended", "subscriptions")
LENGTHS = (1, 2, 3)
"""The numbers of months that are removed."""
HEALTHY = ("last day", "any day")
CASES = [f"{what} {months}" for what in REMOVED for months in LENGTHS]


def main() -> None:
    """Measures, and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument(
        "--characters", type=int, nargs="+", default=[400, 1_000, 2_000, 4_000, 30_000]
    )
    args = parser.parse_args()
    started, removed = time.process_time(), list[str]()
    print("| characters | game | late on the last day | late on any day of the last year |")
    print("|---|---|---|---|")
    for characters, game in product(args.characters, STANDARD):
        counts = Counter[str]()
        for number in range(args.draws):
            counts.update(judge(draw(game, characters, number)))
        shares = {what: f"{counts[what] / args.draws:.1%}" for what in [*HEALTHY, *CASES]}
        cells = " | ".join(shares[what] for what in HEALTHY)
        print(f"| {characters:,} | {game} | {cells} |", flush=True)
        for months in LENGTHS:
            found = " | ".join(shares[f"{what} {months}"] for what in REMOVED)
            removed.append(f"| {characters:,} | {game} | {months} | {found} |")
    print("\n| characters | game | months removed | " + " | ".join(REMOVED) + " |")
    print("|---" * (3 + len(REMOVED)) + "|")
    print(*removed, sep="\n")
    print(f"\n{time.process_time() - started:.0f} CPU seconds")


def judge(rows: Mapping[str, tuple[Whole, Whole]]) -> list[str]:
    """Lists what is found in a draw, of `HEALTHY` and `CASES`."""
    late = late_days(rows)
    found = [
        f"{what} {months}" for what in REMOVED for months in LENGTHS if finds(rows, what, months)
    ]
    return [*(["last day"] if DAYS[-1] in late else []), *(["any day"] if late else []), *found]


def draw(game: str, characters: int, number: int) -> Mapping[str, tuple[Whole, Whole]]:
    """Draws sample data; returns the month and the age of each row, by kind of table.

    The month is that in which the row became known, the age the months until it was complete.
    """
    rng = np.random.default_rng(np.random.SeedSequence([number, characters]))
    return rows_of(Simulation(STANDARD[game], characters, 1.0, rng).run())


def rows_of(world: World) -> Mapping[str, tuple[Whole, Whole]]:
    """The month and the age of each row, by kind of table; see `draw`."""
    starts = month_of(world.subscriptions["start"])
    _, first, last = world.runs[world.runs[:, 2] < MONTHS].T
    alive = np.searchsorted(np.sort(world.first_month), np.arange(MONTHS + 1), side="right")
    balances = np.repeat(np.arange(MONTHS + 1), alive)
    return {
        "subscriptions": (starts, np.zeros_like(starts)),
        "misses": (first + 1, last - first),
        "history": (balances, np.zeros_like(balances)),
    }


def late_days(rows: Mapping[str, tuple[Whole, Whole]]) -> list[date]:
    """The days of the last year on which any table is called late."""
    tables = {kind: by_month(*each) for kind, each in rows.items()}
    return [
        day
        for day in DAYS[-13:]
        if any(find_late(SPECS[kind], months, day) for kind, months in tables.items())
    ]


def finds(rows: Mapping[str, tuple[Whole, Whole]], what: str, months: int) -> bool:
    """Whether it is found that the last months of a table are missing."""
    if what == "subscriptions":
        starts, age = rows["subscriptions"]
        kept = starts < MONTHS - months
        return _is_late("subscriptions", starts[kept], age[kept])
    known, age = rows["misses"]
    kept = (known if what == "misses that began" else known + age) <= MONTHS - months
    return _is_late("misses", known[kept], age[kept])


def _is_late(kind: str, months: Whole, age: Whole) -> bool:
    return find_late(SPECS[kind], by_month(months, age), DAYS[-1]) is not None


def by_month(months: Whole, ages: Whole) -> MonthlyRows:
    """Counts rows as the footer of a checked table does."""
    return {
        str(age): {
            str(DAYS[month]): int(rows)
            for month, rows in enumerate(np.bincount(months[ages == age]))
            if rows
        }
        for age in np.unique(ages)
    }


if __name__ == "__main__":
    main()
