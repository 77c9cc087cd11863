"""Counts what is claimed and done with and without signal: `python -m benchmarks.claims`.

Takes games of sample data through the flows, half of them with churn that does not depend on any
feature: trains and back-tests a first model, predicts a batch, then trains and back-tests a second
with another seed. Prints a row for each game, and what the games of a kind have in common.
"""

import argparse
import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

from churnlib.synthesis import PROCESSES, generate
from flows.engine.server import local_server

GAME = "game1"
CHARACTERS, GAMES = 8_000, 20
KINDS = {"without signal": 0.0, "with signal": 1.0}
COLUMNS = (
    "seed", "scored", "AUC", "attainable", "claims", "calibrated", "contacted", "gain",
    "second model",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """The results of a game.

    Attributes:
        seed: The seed of its data.
        scored: Number of subscriptions in the first model's back-test.
        auc: Its ROC AUC.
        attainable: The ROC AUC of the true probabilities, on the same subscriptions.
        claims: Whether the report says that the model is better than chance.
        calibrated: What the report says of the calibration.
        contacted: Number of contacts in the batch, of its subscriptions; None if none was decided.
        batch: Number of subscriptions in the batch.
        gain: The expected gain of the campaign in the back-test.
        decision: What the gate decided on the second model.
    """

    seed: int
    scored: int
    auc: float
    attainable: float
    claims: bool
    calibrated: str
    contacted: int | None
    batch: int
    gain: float | None
    decision: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        return (
            f"{self.seed}",
            f"{self.scored:,}",
            f"{self.auc:.3f}",
            f"{self.attainable:.3f}",
            "yes" if self.claims else "no",
            self.calibrated,
            "-" if self.contacted is None else f"{self.contacted} of {self.batch}",
            "-" if self.gain is None else f"{self.gain:,.0f}",
            self.decision,
        )


def main() -> None:
    """Measures, and prints Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=GAMES, help="of each kind")
    parser.add_argument("--characters", type=int, default=CHARACTERS)
    args = parser.parse_args()
    with local_server() as server:
        server.wait()
        logging.disable(logging.WARNING)
        for kind, signal in KINDS.items():
            print(f"\n{kind}:\n\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
            results = []
            for seed in range(1, args.games + 1):
                results.append(measure(seed, args.characters, signal))
                print(f"| {' | '.join(results[-1].cells)} |", flush=True)
            print(f"\n{summary(results)}", flush=True)


def measure(seed: int, characters: int, signal: float) -> Result:
    """Takes a game through the flows."""
    from flows.batch_predict import batch_predict
    from flows.score import score
    from flows.train import train, train_from_raw

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        raw = data / "01_raw" / GAME
        generate(PROCESSES[GAME], characters, seed, raw, signal=signal, file_format="parquet")
        given: dict[str, Any] = {"game": GAME, "data_dir": folder}
        train_from_raw(**given)
        score(**given)
        first = read_report(data)
        attainable = attainable_auc(data, raw)
        batch_predict(**given)
        (file,) = (data / "07_model_output" / GAME).glob("predictions_*.parquet")
        batch = pl.read_parquet(file)
        train(**given, overrides={"train.seed": seed})
        score(**given)
        second = read_report(data)["comparison"]
    contact = batch["contact"]
    general, campaign = first["general"], first["campaign"]
    return Result(
        seed=seed,
        scored=general["n"],
        auc=general["roc_auc"],
        attainable=attainable,
        claims=verdict(first, "chance") == "better",
        calibrated=verdict(first, "calibration"),
        contacted=None if contact.is_null().all() else int(contact.sum()),
        batch=len(batch),
        gain=(campaign["at_threshold"] or {}).get("expected_gain"),
        decision=second["decision"] if second else "none",
    )


def read_report(data: Path) -> Any:
    """Reads the report of the latest back-test."""
    return json.loads((data / "08_reporting" / GAME / "score_report.json").read_text())


def verdict(report: Any, key: str) -> str:
    """What a report says in answer to a question."""
    from churnlib.report.assessment import assess
    from churnlib.report.content import Report

    answers = {answer.key: answer.verdict for answer in assess(Report.from_json(report)).answers}
    return answers[key].kind if key in answers else "none"


def attainable_auc(data: Path, raw: Path) -> float:
    """The ROC AUC of the true probabilities on the subscriptions of the back-test."""
    truth = pl.read_parquet(raw / "truth" / "sub_truth.parquet")
    scored = pl.read_parquet(data / "04_feature" / GAME / "score_features.parquet")
    rows = scored.drop_nulls("sub_churn").join(truth, on="sub_id")
    return float(roc_auc_score(rows["sub_churn"], rows["churn_probability"]))


def summary(results: Sequence[Result]) -> str:
    """What the games of a kind have in common, in words."""
    total = len(results)
    shares = [(r.auc - 0.5) / (r.attainable - 0.5) for r in results if r.attainable > 0.5]
    share = f"{np.mean(shares):.3f}" if shares else "-"
    return (
        f"Of {total} games: {sum(r.claims for r in results)} claimed to be better than chance, "
        f"{sum(bool(r.contacted) for r in results)} contacted somebody, "
        f"{sum(r.decision == 'accepted' for r in results)} promoted a second model, "
        f"{sum(r.calibrated == 'worse' for r in results)} were poorly calibrated; mean share of "
        f"the attainable AUC above 0.5: {share}."
    )


if __name__ == "__main__":
    main()
