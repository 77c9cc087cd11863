"""The settings of a run that differ from those that all games share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from churnlib.settings.game import Settings
from churnlib.settings.layers import NULL, load_base, value_text

WITHOUT_EFFECT_ON_RESULTS = frozenset({"game", "description", "data_dir", "schedules", "engine"})
NOT_SET = "not set"


@dataclass(frozen=True)
class Change:
    """A setting that differs from `base.toml`.

    Attributes:
        setting: Its path.
        base: Its value there, as text.
        now: Its value in the run.
    """

    setting: str
    base: str
    now: str


def changes(settings: Settings, games_dir: str | None = None) -> list[Change] | None:
    """Lists the settings of a run that differ from those in `base.toml`.

    Args:
        settings: The settings of the run.
        games_dir: See `churnlib.settings.load_settings`.

    Returns:
        A change for each setting, or part of one, that differs and affects results; entries of a
        list are compared by name, where they have one. None where `base.toml` alone is not a
        complete configuration to compare with.

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
        Change(path, base.get(path, NOT_SET), now.get(path, NOT_SET))
        for path in paths
        if base.get(path) != now.get(path)
        and path.partition(".")[0] not in WITHOUT_EFFECT_ON_RESULTS
    ]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif value == {}:
        yield path, "{}"
    elif isinstance(value, list) and value and all(_has_name(entry) for entry in value):
        for entry in value:
            fields = {name: inner for name, inner in entry.items() if name != "name"}
            yield from _leaves(fields, f"{path}.{entry['name']}")
    else:
        yield path, NULL if value is None else value_text(value)


def _has_name(entry: Any) -> bool:
    return isinstance(entry, Mapping) and "name" in entry
