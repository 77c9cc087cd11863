"""The layers that settings are made of: TOML files, environment variables, single overrides."""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from churnlib import uris
from churnlib.errors import SettingsError, closest
from churnlib.settings.tree import Way, leaves, merge, put, spelt

ENV_PREFIX = "CHURN_"
GAMES_DIR_VARIABLE = "CHURN_GAMES_DIR"
NOT_GAMES = {"base": "what all games share", "local": "your own differences"}
"""Files in the games folder that are no game, and what they hold."""

NULL = "null"
"""How files, environment and command line unset a value of a layer below."""


@dataclass(frozen=True)
class Layers:
    """All that was stated about a game.

    Attributes:
        merged: The tree of settings, later layers over earlier ones.
        origins: For each layer, in order, its name and the paths of what it states or replaces.
    """

    merged: dict[str, Any]
    origins: tuple[tuple[str, frozenset[Way]], ...]

    def origin(self, path: Way) -> str:
        """Names the last layer that states a path, a part of it or what it is part of.

        Where none does, it is the last that states something else in the nearest table above.
        """
        for depth in range(len(path), 0, -1):
            for name, stated in reversed(self.origins):
                if any(_meet(other, path, depth) for other in stated):
                    return f"from {name}"
        return "stated nowhere"


def _meet(stated: Way, path: Way, depth: int) -> bool:
    if depth < len(path):
        return stated[:depth] == path[:depth]
    shorter = min(len(stated), len(path))
    return stated[:shorter] == path[:shorter]


def games_folder(games_dir: str | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """Finds the folder of the games' TOML files.

    Args:
        games_dir: The folder itself, where known.
        environ: The environment; this process's own if null.

    Raises:
        SettingsError: There is none.
    """
    named = games_dir or (os.environ if environ is None else environ).get(GAMES_DIR_VARIABLE)
    here = Path.cwd()
    beside_package = Path(__file__).resolve().parent.parent.parent
    folders = [Path(named)] if named else [d / "games" for d in (here, *here.parents)]
    for folder in folders if named else [*folders, beside_package / "games"]:
        if (folder / "base.toml").is_file():
            return folder.resolve()
    raise SettingsError(
        f"no games: there is no base.toml in {folders[0]}"
        + ("" if named else " or in a games folder above")
        + f". Run from the project's folder, or name the folder in {GAMES_DIR_VARIABLE}."
    )


def list_games(
    games_dir: str | None = None, environ: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Lists the games that have a file, in the order of their names."""
    files = games_folder(games_dir, environ).glob("[!.]*.toml")
    return tuple(sorted(f.stem for f in files if f.stem not in NOT_GAMES and f.is_file()))


def load_base(game: str, games_dir: str | None = None) -> dict[str, Any]:
    """Reads what all games share.

    Args:
        game: The game that asks, for messages.
        games_dir: See `games_folder`.

    Raises:
        SettingsError: There is no such file, or it is no TOML.
    """
    base: dict[str, Any] = _with_nulls(_read(game, games_folder(games_dir) / "base.toml"))
    return base


def load_layers(
    game: str,
    overrides: Mapping[str, Any],
    *,
    games_dir: str | None = None,
    environ: Mapping[str, str] | None = None,
    local: bool = True,
) -> Layers:
    """Reads and merges all layers of a game's settings.

    Args:
        game: The game's name.
        overrides: Values by dotted path; text is read as a TOML value where it is one.
        games_dir: See `games_folder`.
        environ: The environment; this process's own if null.
        local: Whether `local.toml` counts; not in what is the same for all.

    Raises:
        SettingsError: No such game, a file that is no TOML, or a path that leads nowhere.
    """
    environ = os.environ if environ is None else environ
    folder = games_folder(games_dir, environ)
    games = list_games(str(folder), environ)
    if game not in games:
        raise SettingsError(_no_game(game, games, folder))
    merged: dict[str, Any] = {}
    origins: list[tuple[str, frozenset[Way]]] = []
    names = ("base", game, "local") if local else ("base", game)
    for file in (folder / f"{name}.toml" for name in names):
        if file.exists():
            tree = _read(game, file)
            merged = merge(merged, tree)
            origins.append((f"{folder.name}/{file.name}", frozenset(leaves(tree))))
    merged["data_dir"] = _absolute(game, merged.get("data_dir", "data"), folder.parent)
    merged = deepcopy(merged)
    for name, way, value in chain(_variables(environ, merged), _changes(overrides)):
        try:
            origins.append((name, frozenset({put(merged, way, deepcopy(parse_value(value)))})))
        except LookupError as error:
            raise SettingsError(f"{game}: '{'.'.join(way)}' (from {name}) {error}") from None
    merged["data_dir"] = _absolute(game, merged["data_dir"], Path.cwd())
    if "game" in merged:
        raise SettingsError(
            f"{game}: 'game' is no setting: the game is the one that its file's name says. "
            f"Remove game = {merged['game']!r}."
        )
    return Layers({"game": game, **_with_nulls(merged)}, tuple(origins))


def parse_value(value: Any) -> Any:
    """Reads a text as a TOML value; what is no TOML value, and what is no text, stays as it is.

    >>> parse_value("-31"), parse_value("[1, 2]"), parse_value("joblib")
    (-31, [1, 2], 'joblib')
    """
    if not isinstance(value, str) or "\n" in value:
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):  # Thousands of digits or brackets are such, too.
        return value


def value_text(value: Any) -> str:
    """Writes a value so that `parse_value` reads it.

    >>> value_text(True), value_text([1, "a"]), value_text({"by": None}), value_text("joblib")
    ('true', '[1, "a"]', '{ "by" = "null" }', 'joblib')
    """
    return value if isinstance(value, str) else _toml(value)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(str(key))} = {_toml(inner)}" for key, inner in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    # What JSON has no word for is a day, or an infinity, which no setting takes.
    return json.dumps(NULL if value is None else value, default=str)


def _no_game(game: str, games: Sequence[str], folder: Path) -> str:
    if game in NOT_GAMES:
        what = f"{game}.toml there holds {NOT_GAMES[game]}"
        return (
            f"there is no game '{game}' in {folder}: {what}. Known: {', '.join(games) or 'none'}."
        )
    can_be = re.fullmatch(r"\w[\w.-]*", game)
    new = f" A new game is a file {game}.toml there." if can_be else ""
    return f"there is no game '{game}' in {folder}. {closest(game, games)}{new}"


def _read(game: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))  # Some editors begin with a BOM.
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{game}: {file} is no TOML file: save it as UTF-8 ({error})."
        ) from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{game}: {file} is no TOML file: {error}.") from None
    except OSError as error:
        raise SettingsError(f"{game}: {file} cannot be read: {error.strerror}.") from None


def _with_nulls(tree: Any) -> Any:
    """Reads the text `null` as no value, for which TOML has no word."""
    if isinstance(tree, Mapping):
        return {key: _with_nulls(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_with_nulls(value) for value in tree]
    return None if tree == NULL else tree


Change = tuple[str, Sequence[str], Any]
"""The name of a layer, the path that it changes, and the value."""


def _variables(environ: Mapping[str, str], tree: Mapping[str, Any]) -> Iterator[Change]:
    """The changes that variables make; each is spelt as the tree is when its turn comes."""
    for name, value in sorted(environ.items()):
        if name.startswith(ENV_PREFIX) and name != GAMES_DIR_VARIABLE and value:
            way = name.removeprefix(ENV_PREFIX).split("__")
            yield f"the variable {name}", spelt(way, tree), value


def _changes(overrides: Mapping[str, Any]) -> Iterator[Change]:
    return (("--set", dotted.split("."), value) for dotted, value in overrides.items())


def _absolute(game: str, folder: Any, root: Path) -> Any:
    if not isinstance(folder, str) or folder in ("", NULL):
        return folder
    if uris.is_remote(folder):
        try:
            uris.check_uri(folder)
        except ValueError as error:
            raise SettingsError(f"{game}: data_dir: {error}.") from None
        return folder.rstrip("/")
    if "\0" in folder:
        raise SettingsError(
            f"{game}: data_dir: {folder!r} is no folder. Name a folder of this machine."
        )
    try:
        return str(root / Path(folder).expanduser())
    except RuntimeError as error:
        raise SettingsError(f"{game}: data_dir: {folder!r} is no folder: {error}") from None
