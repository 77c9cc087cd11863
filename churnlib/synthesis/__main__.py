"""The command line of the sample data: `python -m churnlib.synthesis --help`."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from churnlib.console import exit_on_broken_pipe
from churnlib.errors import ChurnlibError, DataError
from churnlib.synthesis import GRAINS, PROCESSES, ChurnProcess, generate

DEFAULT = "game1"
"""The game whose process is used for games without their own."""


def parser() -> argparse.ArgumentParser:
    """Builds the argument parser."""
    parser = argparse.ArgumentParser(
        prog="python -m churnlib.synthesis",
        description="Writes the raw tables of a game, with a known churn process, and the truth.",
    )
    add = parser.add_argument
    add(
        "--game", required=True, help="the game; a new one uses the process of another (see --like)"
    )
    add("--characters", required=True, type=int, help="the number of characters")
    add("--seed", default=1, type=int, help="the random seed (default: 1)")
    add("--out", required=True, help="the folder for the raw tables, such as data/01_raw/game1")
    add(
        "--signal",
        default=1.0,
        type=float,
        help="how strongly churn depends on the features, 0 to 1 (default: 1)",
    )
    add(
        "--format",
        choices=("csv", "parquet"),
        help="default: csv, or parquet for 100,000 characters or more; not for game3, whose files "
        "have formats of their own",
    )
    add(
        "--like",
        choices=sorted(PROCESSES),
        help=f"the game whose process is used (default: its own, or {DEFAULT}'s)",
    )
    add(
        "--grain",
        choices=sorted(GRAINS),
        help="start: whether a subscription churns is drawn at its start; monthly: customers pay "
        "or miss each month, for terms of 1 to 24 months, with renewals, and the truth of each "
        "month is written too (default: monthly for game3, else start)",
    )
    add(
        "--not-renewed-months",
        type=int,
        help="at the monthly grain, the true probabilities also count as churn that no other "
        "subscription begins within so many months of the end of the term; 0: only missed months "
        "are churn (default: 1 for game3, else 0)",
    )
    return parser


def process_of(
    game: str,
    like: str | None = None,
    grain: str | None = None,
    not_renewed_months: int | None = None,
) -> ChurnProcess:
    """Returns the process of a game, or that of game1 with other random numbers.

    Args:
        game: The game's name.
        like: The game whose process is used instead of its own.
        grain: `start` or `monthly`; by default that of the sample data.
        not_renewed_months: What else counts as churn, for the true probabilities of the monthly
            grain; 0 for nothing. By default as the process has it.

    Raises:
        DataError: The process has no such option, or it is negative.
    """
    processes = GRAINS[grain] if grain else PROCESSES
    process = replace(processes.get(like or game, processes[DEFAULT]), game=game)
    if not_renewed_months is None:
        return process
    if not_renewed_months < 0:
        raise DataError(f"not_renewed_months is {not_renewed_months}; it must be 0 or more.")
    if process.payments is None:
        raise DataError(
            f"not_renewed_months is {not_renewed_months}, but {game} draws churn at the start. "
            "Leave it out, or choose the monthly grain."
        )
    payments = replace(process.payments, not_renewed_months=not_renewed_months or None)
    return replace(process, payments=payments)


@exit_on_broken_pipe()
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status, which is 2 for an invalid argument."""
    args = parser().parse_args(arguments)
    if args.like is None and args.game not in PROCESSES:
        print(f"{args.game}: has no process of its own and uses that of {DEFAULT}")
    try:
        generated = generate(
            process_of(args.game, args.like, args.grain, args.not_renewed_months),
            args.characters,
            args.seed,
            args.out,
            signal=args.signal,
            file_format=args.format,
        )
    except ChurnlibError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for table, path in generated.files.items():
        print(f"{table}: {generated.rows[table]:,} rows -> {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
