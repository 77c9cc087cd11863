"""The command line of the sample data: `python -m churnlib.synthesis --help`."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from churnlib.console import exit_on_broken_pipe
from churnlib.errors import ChurnlibError
from churnlib.synthesis import PROCESSES, Process, generate

DEFAULT = "game1"
"""Whose process a game without one of its own has."""


def parser() -> argparse.ArgumentParser:
    """Builds the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m churnlib.synthesis",
        description="Writes the raw tables of a game, with a known churn process, and the truth.",
    )
    add = parser.add_argument
    add("--game", required=True, help="the game; a new name is made like another (see --like)")
    add("--characters", required=True, type=int, help="how many characters")
    add("--seed", default=1, type=int, help="where randomness begins (default: 1)")
    add("--out", required=True, help="folder of the raw tables, such as data/01_raw/game1")
    add(
        "--signal",
        default=1.0,
        type=float,
        help="how much the visible facts matter for churn, 0 to 1 (default: 1)",
    )
    add(
        "--format",
        choices=("csv", "parquet"),
        help="default: csv, and parquet from 100,000 characters on",
    )
    add(
        "--like",
        choices=sorted(PROCESSES),
        help=f"whose process to use (default: its own, or {DEFAULT}'s)",
    )
    return parser


def process_of(game: str, like: str | None = None) -> Process:
    """Finds the process of a game.

    A game without a process of its own is made like game1, with other random numbers.

    Args:
        game: The game's name.
        like: The game whose process it shall have.
    """
    base = PROCESSES.get(like or game, PROCESSES[DEFAULT])
    return replace(base, game=game)


@exit_on_broken_pipe()
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status, 2 where an argument is at fault."""
    given = parser().parse_args(arguments)
    if given.like is None and given.game not in PROCESSES:
        print(f"{given.game}: has no process of its own and is made like {DEFAULT}")
    try:
        made = generate(
            process_of(given.game, given.like),
            given.characters,
            given.seed,
            given.out,
            signal=given.signal,
            file_format=given.format,
        )
    except ChurnlibError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for table, path in made.files.items():
        print(f"{table}: {made.rows[table]:,} rows -> {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
