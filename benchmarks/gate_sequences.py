"""Measures what the gate lets through over sequences: `python -m benchmarks.gate_sequences`.

A sequence is twelve candidates of a game. Only the differences between models are simulated: the
measured ROC AUC of a model in a month is its true one plus a normal error of its own, so that the
paired difference between two models on three months has the standard error of a game of that size.
The gate's own code decides, with its registry: pooled months of waiting candidates, looks, anchor.
Prints Markdown tables of the gate before and now.

- *equal*: a candidate as good as the champion; the share that becomes champion within its first
  three cohorts, each a month longer.
- *worse*, *better*: a candidate every `--every` months, each that much worse or better than the
  champion that it finds; the true loss or gain of the champion at the end.
- *twelve tries*: models of one configuration that is 0.02 worse, by new seeds on the same months;
  the share of sequences in which one becomes champion.
- *no signal*: games whose models rank by chance; the share in which a candidate becomes champion.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from math import sqrt

import numpy as np

from churnlib.metrics.comparison import Difference
from churnlib.metrics.intervals import normal_quantile
from churnlib.months import shift_months
from churnlib.seeds import derive_seed
from churnlib.versions.decision import (
    Decision,
    Measured,
    Rules,
    decide,
    floor_confidence,
    loss_that_follows,
)
from churnlib.versions.gate import Comparison
from churnlib.versions.registry import Promotion, Registry

ERRORS = {4_000: 0.0075, 8_000: 0.0053, 30_000: 0.0027, 300_000: 0.0009}
"""The standard error of the difference on three months, by the characters of a game."""
OWN_ERROR = 4.0
"""The standard error of a model's own ROC AUC, in those of a difference."""
CANDIDATES, WINDOW, WAIT = 12, 3, 3
"""Candidates of a sequence, months of a cohort, and cohorts that a candidate waits for."""
START, NOW = date(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC)
OLD_LOSS = 0.02


@dataclass
class Game:
    """A simulated game: its models, and what the gate knows of them.

    Attributes:
        error: The standard error of a difference on three months.
        rng: The source of chance.
        is_old: Whether the gate is that of before.
        truth: The true ROC AUC of each version.
        errors: The errors of each version, by month.
        registry: The gate's registry.
        champion: The version in use.
    """

    error: float
    rng: np.random.Generator
    is_old: bool
    truth: dict[str, float] = field(default_factory=dict)
    errors: dict[str, dict[int, float]] = field(default_factory=dict)
    registry: Registry = field(default_factory=Registry)
    champion: str = "v0"

    def add(self, version: str, auc: float) -> None:
        """Trains a version with a true ROC AUC."""
        self.truth[version], self.errors[version] = auc, {}

    def measured(self, version: str, months: range) -> float:
        """The ROC AUC that is measured on some months."""
        own, scale = self.errors[version], self.error * sqrt(WINDOW / 2)
        drawn = [own.setdefault(month, scale * self.rng.standard_normal()) for month in months]
        return self.truth[version] + sum(drawn) / len(drawn)

    def difference(self, version: str, other: str, months: range) -> Difference:
        """The difference between two versions on some months."""
        one, two = self.measured(version, months), self.measured(other, months)
        error = self.error * sqrt(WINDOW / len(months))
        return Difference("roc_auc", one, two, one - two, error, 1_000, 1_000)

    def compare(self, version: str, configuration: str, months: range) -> Decision:
        """Compares a candidate with the champion on some months, and promotes it if accepted."""
        against = self.difference(version, self.champion, months)
        if self.is_old:
            interval = against.interval()
            assert interval is not None
            decision: Decision = "accepted" if interval[0] >= -OLD_LOSS else "refused"
            if decision == "accepted":
                self.champion = version
            return decision
        cohort, window = str(months), (month(months[0]), month(months[-1]))
        as_of = month(months[-1] + 7)
        known = self.registry
        looks = known.looks(configuration, window, candidate=version, cohort=cohort)
        earlier = known.earlier_comparisons(version, self.champion, cohort)
        allowed = loss_that_follows("roc_auc", against.standard_error)
        allowed = earlier[0].max_loss or allowed if earlier else allowed
        anchor = known.anchor(as_of)
        anchored = self.difference(version, anchor, months) if anchor else None
        rules = Rules("roc_auc", allowed, look=looks + 1)
        own = OWN_ERROR * self.error * sqrt(WINDOW / len(months))
        half = normal_quantile(floor_confidence(rules.look)) * own
        auc = self.measured(version, months) + own * self.rng.standard_normal()
        measured = Measured(against, anchored, (auc - half, auc + half), None, 1_000, 200)
        decision, reason = decide(measured, rules)
        made = Comparison(
            metric="roc_auc",
            max_loss=allowed,
            promote=True,
            candidate=version,
            champion=self.champion,
            cohort=cohort,
            window=window,
            as_of=as_of,
            difference=against.difference,
            interval=against.interval(),
            anchor=anchor,
            anchor_interval=anchored and anchored.interval(),
            configuration=configuration,
            look=rules.look,
            decision=decision,
            reason=reason,
        )
        self.record(made)
        return decision

    def record(self, made: Comparison) -> None:
        """Records a comparison, and the promotion that follows."""
        when = NOW + timedelta(hours=len(self.registry.comparisons))
        self.registry = self.registry.with_comparison(made, when)
        if made.promotes:
            promotion = Promotion(
                version=made.candidate, previous=made.champion, when=when, by="back-test", why=""
            )
            promotions = (*self.registry.promotions, promotion)
            self.registry = self.registry.model_copy(update={"promotions": promotions})
            self.champion = made.candidate


def month(number: int) -> date:
    """The first day of a month, counted from the first."""
    return shift_months(START, number)


def candidate(game: Game, number: int, auc: float, opens: int, waits: int, name: str) -> bool:
    """Takes a candidate through its cohorts; whether it became champion."""
    version = f"v{number}"
    game.add(version, auc)
    for cohort in range(1 if game.is_old else waits):
        decision = game.compare(version, name, range(opens, opens + WINDOW + cohort))
        if decision != "undecided":
            return decision == "accepted"
    return False


def equal(game: Game) -> float:
    """Whether an equal candidate becomes champion within three cohorts."""
    return candidate(game, 1, game.truth["v0"], 0, WAIT, "a")


def chain(game: Game, step: float, every: int) -> float:
    """The loss of the champion after a sequence of candidates that are each worse by a step."""
    first = game.truth["v0"]
    for number in range(1, CANDIDATES + 1):
        auc = game.truth[game.champion] - step
        candidate(game, number, auc, number * every, min(every, WAIT), f"c{number}")
    return first - game.truth[game.champion]


def twelve_tries(game: Game, every: int) -> float:
    """Whether one of twelve models of a configuration that is worse by 0.02 becomes champion."""
    auc = game.truth["v0"] - 0.02
    waits = WAIT if every else 1
    return any(
        candidate(game, number, auc, number * every, waits, "same")
        for number in range(1, CANDIDATES + 1)
    )


def no_signal(game: Game) -> float:
    """Whether a candidate that ranks by chance becomes champion, of four in a year."""
    game.truth["v0"] = 0.5
    return any(candidate(game, number, 0.5, 3 * number, WAIT, "a") for number in range(1, 5))


def simulate(
    what: Callable[[Game], float], characters: int, runs: int, *, old: bool
) -> list[float]:
    """The results of many games."""
    results = []
    for run in range(runs):
        seed = derive_seed(run, f"sequences {characters}")
        game = Game(ERRORS[characters], np.random.default_rng(seed), old)
        game.add("v0", 0.8)
        results.append(float(what(game)))
    return results


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--characters", type=int, nargs="+", default=list(ERRORS))
    args = parser.parse_args()
    rows: dict[str, tuple[Callable[[Game], float], Callable[[list[float]], str]]] = {
        "equal: becomes champion": (equal, share),
        "0.01 worse, monthly: loss": (lambda game: chain(game, 0.01, 1), spread),
        "0.01 worse, quarterly: loss": (lambda game: chain(game, 0.01, 3), spread),
        "equal, quarterly: loss": (lambda game: chain(game, 0.0, 3), spread),
        "0.01 better, quarterly: gain": (lambda game: -chain(game, -0.01, 3), spread),
        "0.02 worse, twelve seeds: passes": (lambda game: twelve_tries(game, 0), share),
        "0.02 worse, twelve months: passes": (lambda game: twelve_tries(game, 1), share),
        "0.02 worse, twelve quarters: passes": (lambda game: twelve_tries(game, 3), share),
        "no signal, a year: promoted": (no_signal, share),
    }
    header = [f"{count:,} {when}" for count in args.characters for when in ("before", "now")]
    print("| sequence | " + " | ".join(header) + " |")
    print("|---" * (1 + len(header)) + "|")
    for name, (what, summary) in rows.items():
        cells = [
            summary(simulate(what, count, args.runs, old=old))
            for count in args.characters
            for old in (True, False)
        ]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def share(results: list[float]) -> str:
    """The mean of yes and no, in per cent."""
    return f"{np.mean(results):.1%}"


def spread(results: list[float]) -> str:
    """The mean and the 95 % quantile of losses or gains."""
    return f"{np.mean(results):.3f}, {np.quantile(results, 0.95):.3f}"


if __name__ == "__main__":
    main()
