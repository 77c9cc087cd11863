"""Cached properties: computed once for each instance, by several threads at a time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from churnlib.features.cached import cached_property

PATIENCE_SECONDS = 10


class Rows:
    """Rows whose number is counted."""

    def __init__(self, both: Barrier) -> None:
        self.both, self.times = both, 0

    @cached_property
    def count(self) -> int:
        """The number of rows."""
        self.both.wait(PATIENCE_SECONDS)
        self.times += 1
        return 7


def test_property_is_computed_once() -> None:
    rows = Rows(Barrier(1))
    assert [rows.count, rows.count, rows.times] == [7, 7, 1]
    assert Rows.count.__doc__ == "The number of rows."


def test_property_of_two_instances_is_computed_at_the_same_time() -> None:
    both = Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        assert [*threads.map(lambda rows: rows.count, [Rows(both), Rows(both)])] == [7, 7]
