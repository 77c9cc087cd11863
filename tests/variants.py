"""What `make test` leaves to `make test-all`: examples of properties, and values of parameters."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import settings

ALL = 100
"""The number of examples of a property that does not say another, in `make test-all`."""
LEAST = 10


def examples(count: int = ALL, **more: Any) -> settings:
    """The settings of a property of which `make test-all` tries so many examples.

    `make test` tries the share of them that the profile `quick` of `tests.conftest` says.
    """
    assert settings.default
    share = settings.default.max_examples / ALL
    return settings(max_examples=max(round(count * share), min(count, LEAST)), **more)


def slow_but(*fast: Any, of: Iterable[Any]) -> list[Any]:
    """The values of a parametrized test, of which `make test` tries some only.

    Args:
        fast: The values that `make test` tries.
        of: All values; a tuple has one for each of several parameters.
    """
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)),
            marks=() if value in fast else pytest.mark.slow,
        )
        for value in of
    ]
