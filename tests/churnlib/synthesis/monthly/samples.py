"""Generated games whose customers pay by month, read back under common names."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl

from churnlib.synthesis import GRAINS, generate
from churnlib.synthesis.monthly.worlds import REWARD
from churnlib.synthesis.process import ChurnProcess
from tests.churnlib.synthesis.monthly.oracle import Seen, Subscription, day_of, score
from tests.churnlib.synthesis.samples import month, months

GAMES = sorted(GRAINS["monthly"])
NAMES = {
    "player": "char_id",
    "membership": "sub_id",
    "begins": "sub_start_date",
    "months": "sub_months",
    "first_month": "start_date",
    "last_month": "end_date",
    "first_seen": "creation_date",
}


@dataclass(frozen=True)
class Sample:
    """One generated game, read back."""

    process: ChurnProcess
    signal: float
    folder: Path
    characters: pl.DataFrame
    subs: pl.DataFrame
    misses: pl.DataFrame
    at_start: pl.DataFrame
    by_month: pl.DataFrame

    @cached_property
    def of_character(self) -> dict[int, list[Subscription]]:
        """The subscriptions of each character that has any, by start, with their scores."""
        owners = {row["char_id"]: row for row in self.characters.iter_rows(named=True)}
        missed, found = missed_months(self.misses), dict[int, list[Subscription]]()
        for row in self.subs.sort("char_id", "sub_start_date").iter_rows(named=True):
            own, owner = found.setdefault(row["char_id"], []), owners[row["char_id"]]
            start = row["sub_start_date"]
            facts = {
                "age_at_sub_months": months(owner["creation_date"], start),
                "months_since_previous_sub": months(own[-1].start, start) if own else None,
                "sub_number": len(own) + 1,
                "sub_months": row["sub_months"],
                "price": row.get("price"),
            }
            total = score(self.process, facts, {**owner, **row})
            of_sub = missed.get(row["sub_id"], set())
            own.append(Subscription(row["sub_id"], start, row["sub_months"], total, of_sub))
        return found


def sample(process: ChurnProcess, characters: int, folder: Path, signal: float = 1.0) -> Sample:
    """Generates a game, and reads what all games have."""
    files = generate(process, characters, 7, folder, signal=signal).files
    own = ("players", "memberships", "missed_payments")
    names = own if "players" in files else ("character_data", "sub_data", "sub_miss")
    tables = [
        pl.read_csv(files[name], try_parse_dates=True).rename(NAMES, strict=False) for name in names
    ]
    truth = (pl.read_parquet(files[name]) for name in ("sub_truth", "sub_month_truth"))
    return Sample(process, signal, folder, *tables, *truth)


def missed_months(misses: pl.DataFrame) -> dict[int, set[int]]:
    """The missed months of each subscription, counted from the first month."""
    found: dict[int, set[int]] = {}
    for sub_id, first, last in misses.iter_rows():
        until = date(2024, 12, 1) if last is None else last
        begun = months(day_of(0), first)
        found.setdefault(sub_id, set()).update(range(begun, months(day_of(0), until) + 1))
    return found


def logins_seen(made: Sample, char_id: int) -> Seen:
    """The logins of a character, over days of which those of a weekend count for more."""
    logins = pl.read_parquet(made.folder / "logins.parquet").filter(pl.col("player") == char_id)
    days = logins["at"].dt.date().to_list()

    def seen(first: date, end: date) -> tuple[float, float]:
        span = [first + timedelta(i) for i in range((end - first).days)]
        weekend: float = made.process.play.weekend  # type: ignore[attr-defined]
        exposure = sum(weekend if day.weekday() >= 5 else 1 for day in span)
        return sum(first <= day < end for day in days), exposure

    return seen


def rewards_seen(made: Sample, char_id: int) -> Seen:
    """The rewards of a character, which its soft balance shows a month later, unless it is null."""
    rows = pl.scan_csv(made.folder / "character_currency.csv", try_parse_dates=True)
    own = rows.filter(char_id=char_id).select("date", "soft_balance").collect()
    balance = dict(own.iter_rows())
    payout = dict(made.subs.filter(char_id=char_id).select("sub_id", "num_soft_currency").rows())
    subs = made.of_character[char_id]

    def seen(first: date, end: date) -> tuple[float, float]:
        at = months(day_of(0), first)
        if end < day_of(at + 1) or balance.get(end) is None:
            return 0, 0
        paid = sum(
            payout[sub.sub_id]
            for sub in subs
            if sub.begun <= at < sub.end and at not in sub.missed and not sub.churned(at)
        )
        rewards, rest = divmod(balance[end] - paid, REWARD)
        assert rest == 0
        return rewards, 1

    return seen


def with_labels(made: Sample, truth: pl.DataFrame, day: str) -> pl.DataFrame:
    """The rows of a truth with the outcome within six months, of those that are known.

    Computed from what the tables show, not by the product.
    """
    missed, within = missed_months(made.misses), made.process.payments.not_renewed_months  # type: ignore[union-attr]
    starts: dict[int, set[int]] = {}
    for char_id, start in made.subs.select("char_id", month("sub_start_date")).iter_rows():
        starts.setdefault(char_id, set()).add(start)
    churned = []
    for sub_id, char_id, start, term in made.subs.select(
        "sub_id", "char_id", month("sub_start_date"), "sub_months"
    ).iter_rows():
        own = {12 * 2021 + 1 + at for at in missed.get(sub_id, set())}
        ends = [at + 3 for at in own if {at, at + 1, at + 2} <= own]
        end = start + term
        if within and not starts[char_id] & set(range(end, end + within)):
            ends.append(end + within)
        churned.append(min(ends, default=None))
    subs = made.subs.with_columns(churned=pl.Series(churned, dtype=pl.Int64))
    after = pl.col("churned") - month(day)
    return (
        truth.join(subs, on="sub_id")
        .filter(month(day) <= 12 * 2024 + 7)
        .with_columns(label=(after <= 6).fill_null(False).cast(pl.Float64))
    )
