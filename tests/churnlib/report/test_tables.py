"""The tables of the text: every figure where it belongs, in 80 columns."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from churnlib.metrics.evaluate import evaluate
from churnlib.metrics.segments import breakdown
from churnlib.report.tables import breakdown_tables


def made(n: int = 300) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    rng = np.random.default_rng(1)
    probability = rng.random(n)
    frame = pl.DataFrame(
        {
            "char_id": np.arange(n) // 2,
            "sub_id": np.arange(n),
            "sub_start_date": [date(2024, 5 + row % 2, 1) for row in range(n)],
            "is_first_sub": rng.random(n) < 0.5,
            "race": ["a people of a very long name", None, "elf"] * (n // 3),
            "sub_churn": (rng.random(n) < probability).astype(np.int8),
            "churn_probability": probability,
            "baseline_probability": rng.random(n),
        }
    )
    groups = {name: s.to_json() for name, s in evaluate(frame, base_rate=0.4).items()}
    return groups, breakdown(frame, ("race",))


def test_baselines_stand_beside_the_difference_to_them() -> None:
    groups, parts = made()
    lines = list(breakdown_tables(groups, parts["segments"], parts["cohorts"]))
    plain = groups["general"]["baselines"]["logistic_regression"]
    apart = plain["differences"]["roc_auc"]
    low, high = apart["interval"]
    words = [" ".join(line.split()) for line in lines]
    row = words.index(f"ROC AUC {plain['roc_auc']:.4f} 0.5000")
    assert words[row + 1].startswith(
        f"model less that {apart['difference']:+.4f} ({low:+.4f} to {high:+.4f}) +"
    )


def test_tenths_and_parts_have_a_line_each() -> None:
    groups, parts = made()
    lines = list(breakdown_tables(groups, parts["segments"], parts["cohorts"]))
    first = groups["general"]["deciles"][0]
    (found,) = (line.split() for line in lines if line.startswith("  1 of 30 "))
    assert found[3] == f"{first['churn_rate']:.0%}"
    assert found[5] == f"{first['lift']:.2f}"
    assert found[7] == f"{first['cumulative_gain']:.0%}"
    assert sum(line[2:].split(" of ")[0].isdigit() for line in lines if " of 30 " in line) == 10
    elf = parts["segments"]["race"][1]
    (found,) = (line.split() for line in lines if line.startswith("  elf "))
    assert found[:4] == [
        "elf", str(elf["n"]), f"{elf['base_rate']:.1%}", f"{elf['mean_predicted']:.1%}"
    ]  # fmt: skip
    starts = [line[:19].strip() for line in lines]
    assert {"not known", "a people of a ve~", "2024-05", "2024-06", "new", "returning"} <= {*starts}
    assert max(map(len, lines)) <= 80


def test_a_calibration_error_that_may_be_luck_is_not_told_as_one() -> None:
    groups, parts = made()
    elf = parts["segments"]["race"][1]
    assert elf["intervals"]["expected_calibration_error"][0] == 0
    lines = list(breakdown_tables(groups, parts["segments"], parts["cohorts"]))
    (found,) = (line.split() for line in lines if line.startswith("  elf "))
    assert found[-1] == "~"
    assert lines[-2].startswith("~ A calibration error whose interval reaches 0 may be luck alone:")
    sure = {**elf, "intervals": {**elf["intervals"], "expected_calibration_error": (0.01, 0.2)}}
    lines = list(breakdown_tables(groups, {"race": [sure]}, ()))
    assert lines[-1].split()[-1] == f"{elf['expected_calibration_error']:.3f}"


def test_what_is_not_known_leaves_a_mark_or_nothing() -> None:
    groups, parts = made(30)
    few = parts["segments"]["race"][0]
    assert few["reason"]
    lines = list(breakdown_tables(groups, parts["segments"], parts["cohorts"]))
    (found,) = (line.split() for line in lines if line.startswith("  elf "))
    assert found[3:] == ["-", "-", "-"]
    bare: dict[str, dict[str, Any]] = {"general": {}, "new_characters": {}}
    assert list(breakdown_tables(bare, {}, ())) == []
