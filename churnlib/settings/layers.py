"""The layers that settings are made of: TOML files, environment variables, single overrides."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, TomlConfigSettingsSource

from churnlib.errors import SettingsError, closest

ENV_PREFIX = "CHURN_"
GAMES_DIR_VARIABLE = "CHURN_GAMES_DIR"
NOT_GAMES = ("base", "local")
"""Files in the games folder that are no game: what all games share, and one's own differences."""

NULL = "null"
"""How files, environment and command line unset a value of a layer below."""

Way = tuple[str, ...]


@dataclass(frozen=True)
class Layers:
    """All that was stated about a game.

    Attributes:
        merged: The tree of settings, later layers over earlier ones.
        origins: For each layer, in order, its name and the paths of the values it states.
    """

    merged: dict[str, Any]
    origins: tuple[tuple[str, frozenset[Way]], ...]

    def origin(self, path: Way) -> str:
        """Names the last layer that states a value at or below a path, else nearest above it."""
        for depth in range(len(path), 0, -1):
            for name, stated in reversed(self.origins):
                if any(other[:depth] == path[:depth] for other in stated):
                    return f"from {name}"
        return "stated nowhere"


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
    files = games_folder(games_dir, environ).glob("*.toml")
    return tuple(sorted(f.stem for f in files if f.stem not in NOT_GAMES))


def load_layers(
    model: type[BaseSettings],
    game: str,
    overrides: Mapping[str, Any],
    *,
    games_dir: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Layers:
    """Reads and merges all layers of a game's settings.

    Args:
        model: The settings' class.
        game: The game's name.
        overrides: Values by dotted path; text is read as a TOML value where it is one.
        games_dir: See `games_folder`.
        environ: The environment; this process's own if null.

    Raises:
        SettingsError: No such game, a file that is no TOML, or a path that leads nowhere.
    """
    environ = os.environ if environ is None else environ
    folder = games_folder(games_dir, environ)
    games = list_games(str(folder), environ)
    if game not in games:
        raise SettingsError(
            f"there is no game '{game}' in {folder}. {closest(game, games)} "
            f"A new game is a file {game}.toml there."
        )
    merged: dict[str, Any] = {}
    origins: list[tuple[str, frozenset[Way]]] = []
    for file in (folder / f"{name}.toml" for name in ("base", game, "local")):
        if file.exists():
            tree = _read(model, file)
            merged = _merge(merged, tree)
            origins.append((f"{folder.name}/{file.name}", frozenset(_leaves(tree))))
    merged["data_dir"] = _absolute(merged.get("data_dir", "data"), folder.parent)
    for name, changes in (("the environment", _variables(environ)), ("--set", overrides)):
        merged = deepcopy(merged)
        for dotted, value in changes.items():
            _put(merged, dotted, parse_value(value), name)
        origins.append((name, frozenset(tuple(dotted.split(".")) for dotted in changes)))
    merged["data_dir"] = _absolute(merged["data_dir"], Path.cwd())
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
    except tomllib.TOMLDecodeError:
        return value


def _read(model: type[BaseSettings], file: Path) -> dict[str, Any]:
    try:
        return TomlConfigSettingsSource(model, file)()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is no TOML file: {error}.") from None


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        merged[key] = _merge(under, value) if both else value  # type: ignore[arg-type]
    return merged


def _with_nulls(tree: Any) -> Any:
    """Reads the text `null` as no value, for which TOML has no word."""
    if isinstance(tree, Mapping):
        return {key: _with_nulls(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_with_nulls(value) for value in tree]
    return None if tree == NULL else tree


def _leaves(tree: Any, path: Way = ()) -> Iterator[Way]:
    entries: Any = ()
    if isinstance(tree, Mapping):
        entries = tree.items()
    elif isinstance(tree, list):
        entries = enumerate(tree)
    if not entries:
        yield path
    for key, value in entries:
        yield from _leaves(value, (*path, str(key)))


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(ENV_PREFIX).lower().replace("__", "."): value
        for name, value in sorted(environ.items())
        if name.startswith(ENV_PREFIX) and name != GAMES_DIR_VARIABLE
    }


def _put(tree: dict[str, Any], dotted: str, value: Any, layer: str) -> None:
    """Sets the value at a dotted path, through tables and lists alike."""
    *way, last = dotted.split(".")
    at: Any = tree
    for depth, part in enumerate(way):
        inner = at.setdefault(part, {}) if isinstance(at, dict) else at[_entry(at, part, dotted)]
        if not isinstance(inner, dict | list):
            raise SettingsError(
                f"{layer}: {dotted} leads nowhere, because {'.'.join(way[: depth + 1])} "
                f"is {inner!r} and no table."
            )
        at = inner
    if isinstance(at, list):
        at[_entry(at, last, dotted)] = value
    else:
        at[last] = value


def _entry(entries: list[Any], part: str, dotted: str) -> int:
    names = [
        str(e.get("name", i)) if isinstance(e, dict) else str(i) for i, e in enumerate(entries)
    ]
    if part in names:
        return names.index(part)
    if part.isdecimal() and int(part) < len(entries):
        return int(part)
    raise SettingsError(f"{dotted}: the list has no entry '{part}'. {closest(part, names)}")


def _absolute(folder: Any, root: Path) -> Any:
    if not isinstance(folder, str):
        return folder
    if "://" in folder:
        raise SettingsError(f"data_dir: {folder} is no folder. Name a folder of this machine.")
    return str(root / Path(folder).expanduser())
