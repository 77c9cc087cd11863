"""The layers of a game's settings: TOML files, environment variables, overrides."""

import json
import os
import re
import tomllib
from collections.abc import Container, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from churnlib import uris
from churnlib.errors import SettingsError, closest
from churnlib.settings.tree import KeyPath, leaves, merge, path_of_variable, set_value

ENV_PREFIX = "CHURN_"
GAMES_DIR_VARIABLE = "CHURN_GAMES_DIR"
TRUSTED_PACKAGES_VARIABLE = "CHURN_TRUSTED_PACKAGES"
SIGNING_KEY_VARIABLE = "CHURN_SIGNING_KEY"
SIGNING_KEY_FILE_VARIABLE = "CHURN_SIGNING_KEY_FILE"
NOT_SETTINGS = frozenset(
    {
        GAMES_DIR_VARIABLE,
        TRUSTED_PACKAGES_VARIABLE,
        SIGNING_KEY_VARIABLE,
        SIGNING_KEY_FILE_VARIABLE,
    }
)
"""Variables with the prefix that are not settings, because no run may change them."""
NOT_GAMES = {"base": "what all games share", "local": "your own differences"}
"""Files in the games folder that are not games, and what they contain."""

NULL = "null"
"""The text by which a layer unsets a value of the layers below."""


@dataclass(frozen=True)
class Layers:
    """The merged settings of a game, and their origins.

    Attributes:
        merged: The tree of settings, later layers over earlier ones.
        origins: The name of each layer, in order, with the paths of the values that it sets.
    """

    merged: dict[str, Any]
    origins: tuple[tuple[str, frozenset[KeyPath]], ...]

    def origin(self, path: KeyPath) -> str:
        """Names the last layer that sets a value, a part of it or a table that contains it.

        Where there is none, it is the last that sets another value of the nearest table above.
        """
        for depth in range(len(path), 0, -1):
            for name, paths in reversed(self.origins):
                if any(_overlap(other, path, depth) for other in paths):
                    return f"from {name}"
        return "not set anywhere"


def _overlap(other: KeyPath, path: KeyPath, depth: int) -> bool:
    if depth < len(path):
        return other[:depth] == path[:depth]
    shorter = min(len(other), len(path))
    return other[:shorter] == path[:shorter]


def games_folder(games_dir: str | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """Finds the folder of the games' TOML files.

    Args:
        games_dir: The folder itself, if known.
        environ: The environment; that of this process if None.

    Raises:
        SettingsError: There is none.
    """
    named = games_dir or (os.environ if environ is None else environ).get(GAMES_DIR_VARIABLE)
    here = Path.cwd()
    beside_package = Path(__file__).resolve().parent.parent.parent
    folders = [Path(named)] if named else [d / "games" for d in (here, *here.parents)]
    for folder in folders if named else [*folders, beside_package / "games"]:
        if os.path.lexists(folder / "base.toml"):
            return folder.resolve()
    raise SettingsError(
        f"no games: there is no base.toml in {folders[0]}"
        + ("" if named else " or in a games folder above")
        + f". Run from the project's folder, or name the folder in {GAMES_DIR_VARIABLE}."
    )


def list_games(
    games_dir: str | None = None, environ: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Lists the games, which are those with a file, by name."""
    files = games_folder(games_dir, environ).glob("[!.]*.toml")
    return tuple(sorted(f.stem for f in files if f.stem not in NOT_GAMES and f.is_file()))


def load_base(game: str, games_dir: str | None = None) -> dict[str, Any]:
    """Reads `base.toml`.

    Raises:
        SettingsError: There is no such file, or it is not valid TOML.
    """
    base: dict[str, Any] = _with_nulls(_read(game, games_folder(games_dir) / "base.toml"))
    return base


def merge_text(game: str, text: str, games_dir: str | None = None) -> dict[str, Any]:
    """Merges the text of a game's file, which need not exist, with `base.toml`.

    Raises:
        SettingsError: There is no `base.toml`, or it is not valid TOML.
        ValueError: The text is not valid TOML.
    """
    folder = games_folder(games_dir)
    merged = merge(_read(game, folder / "base.toml"), tomllib.loads(text))
    merged["data_dir"] = _absolute(game, merged.get("data_dir", "data"), folder.parent)
    return {"game": game, **_with_nulls(merged)}


def load_layers(
    game: str,
    overrides: Mapping[str, Any],
    *,
    games_dir: str | None,
    environ: Mapping[str, str],
    local: bool,
    origin: str,
) -> Layers:
    """Reads and merges all layers of a game's settings; see `churnlib.settings.load_settings`.

    Raises:
        SettingsError: There is no such game, a file is not valid TOML, or a path leads nowhere.
    """
    folder = games_folder(games_dir, environ)
    games = list_games(str(folder), environ)
    if game not in games:
        raise SettingsError(_no_game(game, games, folder))
    merged: dict[str, Any] = {}
    origins: list[tuple[str, frozenset[KeyPath]]] = []
    names = ("base", game, "local") if local else ("base", game)
    for file in (folder / f"{name}.toml" for name in names):
        if os.path.lexists(file):  # A link without a target is refused, not left out.
            tree = _read(game, file)
            merged = merge(merged, tree)
            origins.append((f"{folder.name}/{file.name}", frozenset(leaves(tree))))
    merged["data_dir"] = _absolute(game, merged.get("data_dir", "data"), folder.parent)
    merged = deepcopy(merged)
    changes = ((origin, path, value) for path, value in _overrides(game, overrides))
    for name, path, value in chain(_variables(environ, merged), changes):
        try:
            changed = set_value(merged, path, deepcopy(parse_value(value)))
        except LookupError as error:
            raise SettingsError(f"{game}: '{'.'.join(path)}' (from {name}) {error}") from None
        origins.append((name, frozenset({changed})))
    merged["data_dir"] = _absolute(game, merged["data_dir"], Path.cwd())
    if "game" in merged:
        raise SettingsError(
            f"{game}: 'game' is not a setting: the name of its file is the name of the game. "
            f"Remove game = {merged['game']!r}."
        )
    return Layers({"game": game, **_with_nulls(merged)}, tuple(origins))


def check_variables(game: str, environ: Mapping[str, str], settings: Container[str]) -> None:
    """Refuses variables whose names are not in capitals, and which would otherwise be ignored.

    The names of an estimator's parameters, below `params`, keep their own case.

    Raises:
        SettingsError: The name of such a variable.
    """
    for name, value in environ.items():
        head, separator, _ = name.upper().partition("__PARAMS__")
        length = len(head + separator)
        correct = name[:length].upper() + name[length:]
        first = correct.removeprefix(ENV_PREFIX).partition("__")[0].lower()
        is_setting = correct.startswith(ENV_PREFIX) and first in settings
        if value and name != correct and (is_setting or name.startswith(ENV_PREFIX)):
            raise SettingsError(
                f"{game}: the variable {name} is not in capitals. Did you mean {correct}?"
            )


def parse_value(value: Any) -> Any:
    """Parses text as a TOML value; other text, and other values, are returned unchanged.

    >>> parse_value("-31"), parse_value("[1, 2]"), parse_value("joblib")
    (-31, [1, 2], 'joblib')
    """
    if not isinstance(value, str) or "\n" in value:
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):  # As for thousands of digits or brackets.
        return value


def value_text(value: Any) -> str:
    """Formats a value so that `parse_value` parses it.

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
    # JSON has no dates. It has no infinity either, but no setting may be infinite.
    return json.dumps(NULL if value is None else value, default=str)


def _no_game(game: str, games: Sequence[str], folder: Path) -> str:
    if game in NOT_GAMES:
        content = f"{game}.toml there contains {NOT_GAMES[game]}"
        known = ", ".join(games) or "none"
        return f"there is no game '{game}' in {folder}: {content}. Known: {known}."
    is_name = re.fullmatch(r"\w[\w.-]*", game)
    new = f" To add a game, create {game}.toml there." if is_name else ""
    return f"there is no game '{game}' in {folder}. {closest(game, games)}{new}"


def _read(game: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))  # Some editors write a BOM.
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{game}: {file} is not a TOML file: save it as UTF-8 ({error})."
        ) from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{game}: {file} is not a TOML file: {error}.") from None
    except OSError as error:
        raise SettingsError(f"{game}: {file} cannot be read: {error.strerror}.") from None


def _with_nulls(tree: Any) -> Any:
    """Replaces the text `null` by None, for which TOML has no literal."""
    if isinstance(tree, Mapping):
        return {key: _with_nulls(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_with_nulls(value) for value in tree]
    return None if tree == NULL else tree


Change = tuple[str, Sequence[str], Any]
"""The name of a layer, the path of a setting, and the new value."""


def _variables(environ: Mapping[str, str], tree: Mapping[str, Any]) -> Iterator[Change]:
    """Yields the changes by variables; each depends on the tree after those before."""
    for name, value in sorted(environ.items()):
        if name.startswith(ENV_PREFIX) and name not in NOT_SETTINGS and value:
            path = path_of_variable(name.removeprefix(ENV_PREFIX).split("__"), tree)
            yield f"the variable {name}", path, value


def _overrides(
    game: str, overrides: Mapping[str, Any], parents: tuple[str, ...] = ()
) -> Iterator[tuple[KeyPath, Any]]:
    """Yields the paths and values of overrides, whose nested tables are merged."""
    for name, value in overrides.items():
        if not isinstance(name, str):
            raise SettingsError(
                f"{game}: overrides: {name!r} should be the path of a setting such as train.seed."
            )
        path = (*parents, *name.split("."))
        if isinstance(value, Mapping):
            yield from _overrides(game, value, path)
        else:
            yield path, value


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
            f"{game}: data_dir: {folder!r} is not a folder. Name a folder on this machine."
        )
    try:
        # One spelling for one folder: the places of outputs count in the keys of cached results.
        return str((root / Path(folder).expanduser()).resolve())
    except (RuntimeError, OSError) as error:
        raise SettingsError(f"{game}: data_dir: {folder!r} is not a folder: {error}") from None
