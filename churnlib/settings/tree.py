"""Trees of settings, as TOML nests them: merging, reaching in by a path, and spelling a path."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from churnlib.errors import closest

Way = tuple[str, ...]
"""The names from the root of a tree to a value; an entry of a list goes by its place."""


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lays one tree over another: tables are merged, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        merged[key] = merge(under, value) if both else value  # type: ignore[arg-type]
    return merged


def leaves(tree: Mapping[str, Any], path: Way = ()) -> Iterator[Way]:
    """The paths of all that `merge` replaces as a whole: lists, and values that are no table."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def put(tree: dict[str, Any], way: Sequence[str], value: Any) -> Way:
    """Sets the value at a path, through tables and lists alike.

    Args:
        tree: The tree to change.
        way: The path; an entry of a list goes by its `name` or its place.
        value: What to set there.

    Returns:
        The path, with the entries of lists by their place.

    Raises:
        LookupError: The path leads nowhere.
    """
    if not all(way):
        raise LookupError("is no path of a setting, as train.seed is.")
    at: Any = tree
    found: list[str] = []
    for depth, part in enumerate(way):
        if not isinstance(at, dict | list):
            raise LookupError(
                f"leads nowhere, because {'.'.join(way[:depth])} is {at!r} and no table."
            )
        key: Any = _place(at, part) if isinstance(at, list) else part
        found.append(str(key))
        if depth == len(way) - 1:
            at[key] = value
        else:
            at = at.setdefault(key, {}) if isinstance(at, dict) else at[key]
    return tuple(found)


def spelt(way: Sequence[str], tree: Any) -> Way:
    """Spells a path in which upper and lower case were lost, as they are in environment variables.

    A name that the tree holds is spelt as there. Others are in lower case; but those below
    `params` belong to others, so they stay as they are unless they are longer than a letter and
    all in capitals.

    >>> stated = {"train": {"pipeline": [{"name": "model", "params": {"Cs": 10}}]}}
    >>> spelt(["TRAIN", "PIPELINE", "MODEL", "PARAMS", "CS"], stated)
    ('train', 'pipeline', 'model', 'params', 'Cs')
    >>> spelt(["TRAIN", "PIPELINE", "MODEL", "PARAMS", "MAX_ITER"], stated)[-1]
    'max_iter'
    >>> spelt(["TRAIN", "PIPELINE", "MODEL", "PARAMS", "C"], stated)[-1]
    'C'
    """
    spelling: list[str] = []
    for part in way:
        kept = "params" in spelling and not (part.isupper() and len(part) > 1)
        like = (name for name in _names(tree) if name.lower() == part.lower())
        name = part if part in _names(tree) else next(like, part if kept else part.lower())
        tree = _below(tree, name)
        spelling.append(name)
    return tuple(spelling)


def _names(tree: Any) -> list[str]:
    if isinstance(tree, list):
        named = (entry.get("name", place) if isinstance(entry, dict) else place
                 for place, entry in enumerate(tree))  # fmt: skip
        return [str(name) for name in named]
    return list(tree) if isinstance(tree, dict) else []


def _below(tree: Any, name: str) -> Any:
    if isinstance(tree, list):
        return tree[_names(tree).index(name)] if name in _names(tree) else None
    return tree.get(name) if isinstance(tree, dict) else None


def _place(entries: list[Any], part: str) -> int:
    for names in (_names(entries), [str(place) for place in range(len(entries))]):
        if part in names:
            return names.index(part)
    raise LookupError(
        f"leads nowhere: the list has no entry '{part}'. {closest(part, _names(entries))}"
    )
