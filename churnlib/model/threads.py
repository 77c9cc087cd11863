"""How many threads scikit-learn's estimators use, which changes no result."""

from collections.abc import Iterator
from contextlib import contextmanager

MIN_ROWS = 100_000
"""With fewer rows, a second thread of OpenMP costs more than it saves."""


@contextmanager
def threads_for(rows: int) -> Iterator[None]:
    """Uses one thread of OpenMP in the block if there are fewer than `MIN_ROWS` rows.

    Histogram gradient boosting splits the work of every node of every tree, and its idle threads
    spin while they wait. On a table of 13,500 rows, two threads take three times the CPU time of
    one, and longer.

    Args:
        rows: The number of rows to fit to.
    """
    if rows >= MIN_ROWS:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "openmp"):
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Makes predictions in the block equal to the bit on every machine.

    Forests add up their trees in the order in which threads finish, so their last bits differ; a
    product of matrices is summed differently at the borders between threads.
    """
    from joblib import parallel_config
    from threadpoolctl import threadpool_limits

    with parallel_config(backend="sequential"), threadpool_limits(1, "blas"):
        yield
