"""Properties that are computed once, without a lock for which other threads would wait."""

import sys
from collections.abc import Callable
from functools import cached_property as _locked
from typing import TYPE_CHECKING, Any, Generic, TypeVar

Value = TypeVar("Value")

if TYPE_CHECKING or sys.version_info >= (3, 12):
    cached_property = _locked
else:

    class cached_property(Generic[Value]):  # noqa: N801
        """As `functools.cached_property` is from Python 3.12 on.

        In Python 3.11, that one has a lock, which the same property of all instances shares.
        """

        def __init__(self, compute: Callable[[Any], Value]) -> None:
            self._compute, self.__doc__ = compute, compute.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self._name = name

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            if instance is None:
                return self
            value = instance.__dict__[self._name] = self._compute(instance)
            return value
