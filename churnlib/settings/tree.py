"""Trees of settings, as nested in TOML: merging them, and setting a value by its path."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from churnlib.errors import closest

KeyPath = tuple[str, ...]
"""The names from the root of a tree to a value; entries of a list are named by their position."""


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merges two trees: tables are merged, and any other value of the upper tree replaces."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            value = merge(under, value)
        merged[key] = value
    return merged


def leaves(tree: Mapping[str, Any], path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yields the paths of all values that `merge` replaces: all but tables."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def set_value(tree: dict[str, Any], path: Sequence[str], value: Any) -> KeyPath:
    """Sets the value at a path through tables and lists.

    Args:
        tree: The tree, which is changed.
        path: The path; an entry of a list is named by its `name` or its position.
        value: The new value.

    Returns:
        The path, with the entries of lists by their position.

    Raises:
        LookupError: The path goes through a value that is not a table, or to a missing entry.
    """
    if not all(path):
        raise LookupError("is not the path of a setting such as train.seed.")
    at: Any = tree
    keys: list[str] = []
    for depth, part in enumerate(path):
        if not isinstance(at, dict | list):
            raise LookupError(
                f"leads nowhere, because {'.'.join(path[:depth])} is {at!r} and not a table."
            )
        key: Any = _position(at, part) if isinstance(at, list) else part
        keys.append(str(key))
        if depth == len(path) - 1:
            at[key] = value
        else:
            at = at.setdefault(key, {}) if isinstance(at, dict) else at[key]
    return tuple(keys)


def path_of_variable(names: Sequence[str], tree: Any) -> KeyPath:
    """Returns the path of the setting that an environment variable sets.

    Each name matches the one in the tree that has its letters, else counts as in lower case. Below
    `params` are the parameters of estimators, whose case matters: there, a name counts as written
    if it is in the tree, has a single letter or is not all in capitals.

    Args:
        names: The parts of the variable's name.
        tree: The tree of the layers below.

    >>> steps = {"train": {"pipeline": [{"name": "model", "params": {"Cs": 10}}]}}
    >>> path_of_variable(["TRAIN", "PIPELINE", "MODEL", "PARAMS", "CS"], steps)
    ('train', 'pipeline', 'model', 'params', 'Cs')
    >>> path_of_variable(["TRAIN", "PIPELINE", "MODEL", "PARAMS", "MAX_ITER"], steps)[-1]
    'max_iter'
    >>> path_of_variable(["TRAIN", "PIPELINE", "MODEL", "PARAMS", "C"], steps)[-1]
    'C'
    """
    path: list[str] = []
    for name in names:
        known, is_parameter = _names(tree), "params" in path
        as_written = is_parameter and (len(name) == 1 or name != name.upper())
        if not (is_parameter and name in known):
            default = name if as_written else name.lower()
            name = next((key for key in known if key.upper() == name), default)
        tree = _below(tree, name)
        path.append(name)
    return tuple(path)


def _names(tree: Any) -> list[str]:
    if isinstance(tree, list):
        return [
            str(entry.get("name", position) if isinstance(entry, dict) else position)
            for position, entry in enumerate(tree)
        ]
    return list(tree) if isinstance(tree, dict) else []


def _below(tree: Any, name: str) -> Any:
    if isinstance(tree, list):
        return tree[_names(tree).index(name)] if name in _names(tree) else None
    return tree.get(name) if isinstance(tree, dict) else None


def _position(entries: list[Any], part: str) -> int:
    for names in (_names(entries), [str(position) for position in range(len(entries))]):
        if part in names:
            return names.index(part)
    raise LookupError(
        f"leads nowhere: the list has no entry '{part}'. {closest(part, _names(entries))}"
    )
