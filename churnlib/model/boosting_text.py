"""LightGBM's text form of a model, checked before the library reads it.

LightGBM trusts the numbers in the text: it follows the children of a node and looks up features and
categories without comparing them with what there is, so a changed text could crash the process.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

HEADER = {
    "version": "v4",
    "num_class": "1",
    "num_tree_per_iteration": "1",
    "label_index": "0",
}
"""Fields of the header that every model for a binary outcome has alike."""
HEADER_LISTS = ("feature_names", "feature_infos", "tree_sizes", "monotone_constraints")
HEADER_FIELDS = {*HEADER, *HEADER_LISTS, "max_feature_idx", "objective"}
OF_NODES = (
    *("split_feature", "split_gain", "threshold", "decision_type", "left_child"),
    *("right_child", "internal_value", "internal_weight", "internal_count"),
)
"""Fields of a tree with a number for each inner node."""
OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
OF_CATEGORIES = ("cat_boundaries", "cat_threshold")
TREE_FIELDS = {
    *OF_NODES,
    *OF_LEAVES,
    *OF_CATEGORIES,
    *("num_leaves", "num_cat", "is_linear", "shrinkage"),
}
END_OF_TREES = "end of trees"


def check_text(text: str) -> None:
    """Checks the header and the trees of a model.

    Raises:
        ValueError: A field is missing, unknown or repeated, or a number leads outside its tree.
    """
    if not (isinstance(text, str) and text.startswith("tree\n") and text.isascii()):
        raise ValueError("it is not a model in LightGBM's text form")
    head, found, rest = text.partition("\n\n")
    header = _fields(line for line in head.splitlines()[1:] if line != "average_output")
    if unknown := set(header) - HEADER_FIELDS:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
    for name, value in HEADER.items():
        if header.get(name) != value:
            raise ValueError(f"{name} is {header.get(name)!r}, not {value!r}")
    features = _count(header, "max_feature_idx") + 1
    for name in ("feature_names", "feature_infos"):
        if len(header.get(name, "").split()) != features:
            raise ValueError(f"{name} does not list {features} features")
    trees, found, _ = rest.partition(END_OF_TREES)
    if not found:
        raise ValueError("it has no end of trees")
    for number, tree in enumerate(_split(trees, header.get("tree_sizes", ""))):
        _check_tree(number, tree, features)


def _split(trees: str, sizes: str) -> Sequence[str]:
    """The text of each tree; LightGBM finds them by their sizes."""
    bounds = np.cumsum([0, *(_whole(size) for size in sizes.split())])
    number = len(bounds) - 1
    if bounds[-1] > len(trees) or trees[bounds[-1] :].strip() or trees.count("Tree=") != number:
        raise ValueError("tree_sizes does not match the trees")
    return [trees[start:end] for start, end in pairwise(bounds)]


def _check_tree(number: int, text: str, features: int) -> None:
    title, _, body = text.partition("\n")
    if title != f"Tree={number}" or "\n\n" in body.strip():
        raise ValueError(f"tree {number} is not where tree_sizes says")
    fields = _fields(body.strip().splitlines())
    try:
        _check_fields(fields, features)
    except ValueError as error:
        raise ValueError(f"tree {number}: {error}") from None


def _check_fields(fields: Mapping[str, str], features: int) -> None:
    if unknown := set(fields) - TREE_FIELDS:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
    if fields.get("is_linear", "0") != "0":
        raise ValueError("it has linear leaves")
    leaves, categories = _count(fields, "num_leaves"), _count(fields, "num_cat")
    if leaves < 1 or categories > max(leaves - 1, 0):
        raise ValueError(f"it has {leaves} leaves and {categories} sets of categories")
    if leaves == 1:  # A constant has neither nodes nor all fields of its leaf.
        _numbers(fields, "leaf_value", 1)
        return
    needed = {**dict.fromkeys(OF_NODES, leaves - 1), **dict.fromkeys(OF_LEAVES, leaves)}
    values = {name: _numbers(fields, name, size) for name, size in needed.items()}
    for side in ("left_child", "right_child"):
        _check_children(side, values[side], leaves)
    _check_range("split_feature", values["split_feature"], features)
    by_category = (values["decision_type"].astype(np.int64) & 1).astype(bool)
    _check_range("threshold", values["threshold"][by_category], categories)
    if categories:
        _check_categories(fields, categories)


def _check_children(side: str, children: NDArray[np.float64], leaves: int) -> None:
    """Checks that a child is a later node, or one of the leaves, which count down from -1."""
    later = children > np.arange(leaves - 1)
    if not (np.where(later, children < leaves - 1, (children < 0) & (children >= -leaves))).all():
        raise ValueError(f"{side} leads outside the tree")


def _check_range(name: str, values: NDArray[np.float64], size: int) -> None:
    if not ((values >= 0) & (values < size) & (values == np.floor(values))).all():
        raise ValueError(f"{name} is not below {size}")


def _check_categories(fields: Mapping[str, str], categories: int) -> None:
    bounds = _numbers(fields, "cat_boundaries", categories + 1)
    words = len(fields.get("cat_threshold", "").split())
    _check_range("cat_boundaries", bounds, words + 1)
    if bounds[0] != 0 or bounds[-1] != words or (np.diff(bounds) < 0).any():
        raise ValueError("cat_boundaries do not rise from 0 to the size of cat_threshold")


def _fields(lines: Iterable[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, found, value = line.partition("=")
        if not found or name in fields:
            raise ValueError(f"a line is no field, or repeats one: {line[:40]!r}")
        fields[name] = value
    return fields


def _count(fields: Mapping[str, str], name: str) -> int:
    return _whole(fields.get(name, ""))


def _whole(text: str) -> int:
    if not (text.isdecimal() and len(text) < 10):
        raise ValueError(f"{text[:40]!r} is not a count")
    return int(text)


def _numbers(fields: Mapping[str, str], name: str, size: int) -> NDArray[np.float64]:
    values = np.array(fields.get(name, "").split(), dtype=np.float64)
    if len(values) != size:
        raise ValueError(f"{name} has {len(values):,} numbers, not {size:,}")
    return values
