"""Small tables are fitted and predicted on one thread of OpenMP, large ones on all."""

import pytest
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from threadpoolctl import threadpool_limits

from churnlib.model.threads import MIN_ROWS, threads_for


@pytest.mark.parametrize(("rows", "threads"), [(1, 1), (MIN_ROWS - 1, 1), (MIN_ROWS, 2)])
def test_threads_depend_on_the_number_of_rows(rows: int, threads: int) -> None:
    with threadpool_limits(2, "openmp"):
        with threads_for(rows):
            assert _openmp_effective_n_threads() == threads
        assert _openmp_effective_n_threads() == 2
