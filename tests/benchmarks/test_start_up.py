"""What a run costs under Prefect."""

from importlib.util import find_spec

import pytest

from benchmarks.start_up import LIBRARIES


@pytest.mark.parametrize("module", LIBRARIES)
def test_a_library_that_is_measured_is_there(module: str) -> None:
    assert find_spec(module) is not None
