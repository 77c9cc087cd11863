"""Predicting on one thread, where more would change the last bits."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Lets models predict in the block the same bits on every machine.

    Forests sum their trees in the order in which threads end, so their last bits differ; a product
    of matrices is summed otherwise at the borders between threads.
    """
    from joblib import parallel_config
    from threadpoolctl import threadpool_limits

    with parallel_config(backend="sequential"), threadpool_limits(1, "blas"):
        yield
