"""`churn init-game`: proposes the file of a new game from a folder of its tables."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from churnlib.errors import SettingsError
from churnlib.io.commands import churn_command
from churnlib.proposal.game import Proposal, propose
from churnlib.proposal.game_file import game_file, guesses, missing
from churnlib.proposal.window_text import in_words
from churnlib.schemas.raw_tables import raw_tables
from churnlib.settings import games_folder, parse_settings
from churnlib.settings.layers import NOT_GAMES
from churnlib.shown import lines

RAW = "01_raw"
"""The folder in a data folder that has a folder of raw tables for each game."""


def init_game(name: str, folder: str, *, print_only: bool = False) -> None:
    """Writes the proposed file of a game, and prints what it found.

    Args:
        name: The name of the game.
        folder: The folder of its files.
        print_only: Whether to print the file instead of writing it.

    Raises:
        SettingsError: The name is not valid, or there is a file of that game.
        DataError: The folder has no CSV or Parquet files that can be read.
    """
    file = _new_file(name)
    base = parse_settings(name)
    if not print_only:
        print(f"init-game: {name}, from {folder}", flush=True)
    place = Path(folder).resolve()
    is_raw_folder = place.parts[-2:] == (RAW, name)
    proposal = propose(name, place, base)
    text = game_file(proposal, base, in_raw_folder=is_raw_folder)
    raw_tables(parse_settings(name, text))  # It loads, whatever the files are.
    if print_only:
        print(text, end="")
        return
    file.write_text(text, encoding="utf-8")
    data_dir = str(place.parents[1]) if is_raw_folder else base.data_dir
    named = None if data_dir == base.data_dir else data_dir
    following = [churn_command(command, name, named) for command in ("check", "run")]
    print(lines("\n".join(_summary(proposal, text, file, following))))


def _new_file(name: str) -> Path:
    """The place of the file of a new game."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise SettingsError(
            f"'{name}' cannot be the name of a game: use letters, digits, '_' and '-'."
        )
    if name in NOT_GAMES:
        raise SettingsError(
            f"'{name}' cannot be the name of a game: games/{name}.toml contains {NOT_GAMES[name]}."
        )
    file = games_folder() / f"{name}.toml"
    if file.exists():
        raise SettingsError(
            f"there is a game '{name}': {file}. Choose another name, or remove that file."
        )
    return file


def _summary(proposal: Proposal, text: str, file: Path, following: Sequence[str]) -> Iterator[str]:
    for placed in proposal.tables:
        unused = sum(choice.kind is None for choice in placed.choices)
        used = len(placed.file.columns) - unused
        yield (
            f"  {placed.name:<21} {placed.table.kind:<14} {placed.file.name}, "
            f"{placed.file.rows:,} rows, {used} of {used + unused} columns used"
        )
    if windows := in_words(proposal.fitting):
        yield windows
    if lacking := missing(proposal):
        yield from ("to prepare before the first run:", *(f"  - {item}" for item in lacking))
    if proposal.unplaced:
        yield "not placed:"
        yield from (f"  - {name} {why}" for name, why in proposal.unplaced.items())
    yield f"{guesses(text)} comments in it to check: {file}"
    yield from ("next:", *(f"  {command}" for command in following))
