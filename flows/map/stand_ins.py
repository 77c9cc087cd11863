"""What takes the place of datasets and values while flows are called without data."""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from prefect.tasks import Task

from churnlib.io.datasets import Dataset, DatasetRef
from flows.map.graph import DatasetNode

MONTH = re.compile(r"\d{4}-\d\d")


class UntraceableError(Exception):
    """A flow's code cannot be followed without data."""


class Unknown:
    """A value that only data could tell: it is empty, and so is all that is asked of it."""

    def __getattr__(self, name: str) -> "Unknown":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: object) -> "Unknown":
        return self

    def __call__(self, *args: object, **kwargs: object) -> "Unknown":
        """Gives itself, whatever it is called with."""
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __str__(self) -> str:
        return "unknown"

    def __bool__(self) -> Literal[False]:
        return False


UNKNOWN = Unknown()


class Made(dict[str, DatasetRef]):
    """What a task returns by names of its own choice: for an unknown one, its first output."""

    def __missing__(self, name: str) -> DatasetRef:
        return next(iter(self.values()))


def references(values: Mapping[str, Any]) -> dict[str, Dataset]:
    """Finds the places to write to among values, in mappings and sequences too, by name."""
    found: dict[str, Dataset] = {}
    for name, value in values.items():
        if isinstance(value, Dataset):
            found[name] = value
        elif isinstance(value, Mapping):
            found |= references({str(key): inner for key, inner in value.items()})
        elif isinstance(value, list | tuple):
            found |= references({f"{name}.{i}": inner for i, inner in enumerate(value)})
    return found


def result_of(task: Task[..., Any], made: Mapping[str, Dataset], *, nothing: bool) -> Any:
    """Gives back what a task returns, as far as its annotation tells.

    Args:
        task: The task.
        made: The places that it writes to.
        nothing: Whether a task that may return null does.
    """
    returns = inspect.formatannotation(inspect.signature(task.fn).return_annotation)
    refs = {name: DatasetRef(d.name, d.game, d.uri, "") for name, d in made.items()}
    if nothing and returns.endswith("| None"):
        return None
    if "DatasetRef" not in returns or not refs:
        return UNKNOWN
    if returns.startswith("dict"):
        return Made(refs)
    if returns.startswith(("tuple", "list")):
        return tuple(refs.values())
    return next(iter(refs.values()))


def dataset_node(dataset: Dataset | DatasetRef, folder: Path) -> DatasetNode:
    """Makes a node of a dataset; its place is told from the data folder."""
    path = Path(dataset.uri).relative_to(folder)
    layer = path.parts[0]
    pattern = MONTH.sub("*", path.as_posix())
    return DatasetNode(f"{layer}/{dataset.name}", dataset.name, layer, pattern, "")
