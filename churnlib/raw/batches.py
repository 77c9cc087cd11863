"""Reading tables batch by batch, alone or together with others."""

import queue
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

BATCH = 2**17
"""Rows that are read at a time, unless another number is asked for."""
AHEAD = 2
"""Batches that are parsed ahead of the one in use."""
STOP_SECONDS = 0.1
"""How often a full queue looks whether its reader has stopped."""


def batches_of(rows: pl.LazyFrame, size: int | None = None) -> Iterator[pl.DataFrame]:
    """Reads rows in their order, some at a time, while the next ones are parsed.

    Not by `collect_batches`, which ends without an error where Polars panics: rows would be lost.

    Args:
        rows: The rows.
        size: The number of rows that are read at a time; `BATCH` if None.

    Raises:
        PolarsError: They cannot be read, also where Polars panics.
    """
    parsed: queue.Queue[pl.DataFrame | BaseException | None] = queue.Queue(AHEAD)
    stopped = threading.Event()

    def hand_over(item: pl.DataFrame | BaseException | None) -> bool:
        """Passes a batch on; returns whether to stop."""
        while not stopped.is_set():
            try:
                parsed.put(item, timeout=STOP_SECONDS)
                return False
            except queue.Full:
                continue
        return True

    def parse() -> None:
        error = None
        try:
            rows.sink_batches(hand_over, chunk_size=size or BATCH, maintain_order=True)
        except BaseException as raised:
            error = raised
        hand_over(error)

    thread = threading.Thread(target=parse, daemon=True)
    thread.start()
    try:
        while isinstance(item := parsed.get(), pl.DataFrame):
            yield item
        if isinstance(item, pl.exceptions.PanicException):
            raise pl.exceptions.ComputeError(str(item)) from None
        if item is not None:
            raise item
    finally:
        stopped.set()
        thread.join()


class SortedReader:
    """Reads frames that are sorted by an id, together with others."""

    def __init__(
        self, frames: Iterator[pl.DataFrame], column: str, schema: Mapping[str, Any]
    ) -> None:
        """Opens the frames.

        Args:
            frames: The frames.
            column: The id, which is never null.
            schema: Their columns.
        """
        self._frames, self._column = frames, column
        self._near = pl.DataFrame(schema=schema)

    def read_on(self, ids: pl.Series) -> pl.DataFrame:
        """Reads all rows that have one of some sorted ids; others may be among them.

        Args:
            ids: The ids, not below those before. Null comes first.
        """
        first, last = ids[0], ids[-1]
        if last is None:
            return self._near
        column = pl.col(self._column)
        self._near = self._near.filter(True if first is None else column >= first)
        # Ids that nobody asks for are skipped, because there may be any number between two.
        is_wanted = (column >= last) | column.is_in(ids.unique().implode())
        while not self._reaches(last):
            following = next(self._frames, None)
            if following is None:
                break
            self._near = pl.concat([self._near, following.filter(is_wanted)])
        return self._near

    def _reaches(self, last: Any) -> bool:
        return len(self._near) > 0 and bool(self._near[self._column][-1] > last)
