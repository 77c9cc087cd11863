"""The settings of a run that differ from those that all games share."""

from collections.abc import Iterator, Mapping
from typing import Any

from churnlib.errors import SettingsError
from churnlib.settings.game import Settings
from churnlib.settings.layers import NULL, load_base, value_text
from churnlib.settings.tables import USUAL, meaning_of

LEFT_OUT = frozenset(
    {"game", "description", "data_dir", "as_of", "schedules", "retention", "engine", "delivery"}
)
NOT_SET = "not set"


def changes(settings: Settings, games_dir: str | None = None) -> list[dict[str, str]] | None:
    """Lists the settings of a run that differ from those in `base.toml`.

    Args:
        settings: The settings of the run.
        games_dir: See `churnlib.settings.load_settings`.

    Returns:
        The path (`setting`) and the values as text (`base`, `now`) of each setting, or part of one,
        that differs and affects results, except the day of the run, which all reports name; entries
        of a list are compared by name, where they have one. None where there is no `base.toml`, or
        it is not a complete configuration to compare with.
    """
    try:
        shared = Settings(**{**load_base(settings.game, games_dir), "game": settings.game})
    except (SettingsError, ValueError):
        return None
    base, now = (dict(_leaves(tree, "")) for tree in _trees(shared, settings))
    paths = [*now, *(path for path in base if path not in now)]
    return [
        {"setting": path, "base": base.get(path, NOT_SET), "now": now.get(path, NOT_SET)}
        for path in paths
        if base.get(path) != now.get(path) and path.partition(".")[0] not in LEFT_OUT
    ]


def _trees(base: Settings, now: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings as plain data: of tables what they mean, and of new ones what is not usual."""
    trees = base.model_dump(mode="json"), now.model_dump(mode="json")
    for tree in trees:
        present = {n: t for n, t in tree["tables"].items() if not t["absent"]}
        tree["tables"] = {name: _unusual(meaning_of(table)) for name, table in present.items()}
    known, own = (tree["tables"] for tree in trees)
    for tables, others in ((known, own), (own, known)):
        for name in tables.keys() - others.keys():
            tables[name] = Whole(tables[name])
    for table in now.features.tables.keys() - base.features.tables.keys():
        asked = now.features.tables[table]
        trees[1]["features"][table] = asked.model_dump(mode="json", exclude_defaults=True)
    return trees


def _unusual(table: Mapping[str, Any]) -> dict[str, Any]:
    return {k: value for k, value in table.items() if k not in USUAL or value != USUAL[k]}


class Whole(dict[str, Any]):
    """A table that is a change as a whole."""


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value and not isinstance(value, Whole):
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
