"""The estimators in a pipeline, also those inside others."""

from collections.abc import Iterator, Mapping
from typing import Any

from sklearn.base import BaseEstimator


def estimators_in(
    value: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], BaseEstimator]]:
    """Finds all estimators in a value, with the path to each, also in lists."""
    inside: Any = ()
    if isinstance(value, BaseEstimator):
        yield path, value
        inside = value.get_params(deep=False).items()
    elif isinstance(value, Mapping):
        inside = value.items()
    elif isinstance(value, list | tuple):
        inside = enumerate(value)
    for name, part in inside:
        yield from estimators_in(part, (*path, str(name)))
