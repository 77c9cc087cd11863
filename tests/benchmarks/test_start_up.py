"""The cost of a run under Prefect."""

from importlib.util import find_spec

import pytest

from benchmarks.start_up import LIBRARIES


@pytest.mark.parametrize("module", LIBRARIES)
def test_measured_library_is_installed(module: str) -> None:
    assert find_spec(module) is not None
