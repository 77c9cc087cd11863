"""Imports skops, which only models in its format need."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from types import ModuleType

import numpy as np


@cache
def skops_io() -> ModuleType:
    """Imports `skops.io`, in half the time that it takes by itself."""
    import scipy.special  # noqa: F401  Its ufuncs are looked up, too.

    with _ufuncs_with_modules():
        from skops import io

        module: ModuleType = io
        return module


@contextmanager
def _ufuncs_with_modules() -> Iterator[None]:
    """Sets `__module__` of SciPy's ufuncs to the first module that contains each.

    They have none, so skops looks for each of them in all loaded modules when it is imported. In a
    flow, there are 3,000.
    """
    named: list[np.ufunc] = []
    with suppress(AttributeError):  # Ufuncs before NumPy 2.3 take no attributes.
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] == "scipy":
                for value in list(vars(module).values()):
                    if isinstance(value, np.ufunc) and getattr(value, "__module__", None) is None:
                        value.__module__ = name
                        named.append(value)
    try:
        yield
    finally:
        for ufunc in named:
            del ufunc.__module__
