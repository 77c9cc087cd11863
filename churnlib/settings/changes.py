"""What tells a game's settings from those that all games share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from churnlib.settings.game import Settings
from churnlib.settings.layers import NULL, load_base, value_text

OF_NO_RESULT = frozenset({"game", "description", "data_dir", "schedules", "engine"})
"""What changes no result."""
NOWHERE = "not set"


@dataclass(frozen=True)
class Change:
    """A setting that is not as in `base.toml`.

    Attributes:
        setting: Its path.
        base: What it is there, as text.
        now: What it is in the run.
    """

    setting: str
    base: str
    now: str


def changes(settings: Settings, games_dir: str | None = None) -> list[Change] | None:
    """Lists the settings of a run that are not as `base.toml` alone has them.

    Args:
        settings: The settings of the run.
        games_dir: See `churnlib.settings.load_settings`.

    Returns:
        A change for each setting, or part of one, that differs and bears on results, by path;
        entries of a list that have names are held against those of the same name. Null where
        `base.toml` alone is no whole configuration, so that nothing can be held against it.

    Raises:
        SettingsError: There is no `base.toml`, or it cannot be read.
    """
    try:
        shared = Settings(**{**load_base(settings.game, games_dir), "game": settings.game})
    except ValueError:
        return None
    base, now = (dict(_leaves(s.model_dump(mode="json"), "")) for s in (shared, settings))
    paths = [*now, *(path for path in base if path not in now)]
    return [
        Change(path, base.get(path, NOWHERE), now.get(path, NOWHERE))
        for path in paths
        if base.get(path) != now.get(path) and path.partition(".")[0] not in OF_NO_RESULT
    ]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif value == {}:
        yield path, "{}"
    elif isinstance(value, list) and value and all(_has_name(entry) for entry in value):
        for entry in value:
            yield from _leaves({k: v for k, v in entry.items() if k != "name"}, _at(path, entry))
    else:
        yield path, NULL if value is None else value_text(value)


def _has_name(entry: Any) -> bool:
    return isinstance(entry, Mapping) and "name" in entry


def _at(path: str, entry: Mapping[str, Any]) -> str:
    return f"{path}.{entry['name']}"
