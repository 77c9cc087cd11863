"""Inputs that another program changes while they are read: nothing is made of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from churnlib.errors import DataError
from churnlib.io.datasets import DatasetRef, is_unchanged
from churnlib.io.storage import checked_before_replacing, exists


@contextmanager
def made_of(*sources: DatasetRef) -> Iterator[None]:
    """Lets the block write and return only what was made of the content of its sources.

    Readers go by path. A file that another program changes while it is read would give rows of
    both, or an error about pages.

    Args:
        sources: The datasets that the block may read.

    Raises:
        DataError: One has changed since it was referred to; nothing that the block wrote since then
            has replaced a file. A dataset that is gone was read before, and is no fault.
    """

    def check() -> None:
        for source in sources:
            if not is_unchanged(source) and exists(source.uri):
                raise DataError(
                    f"{source.game}: {source.name}: {source.uri} was changed by another program "
                    "while this run read it, so nothing was made of it. Wait until its delivery is "
                    "complete, and run this again."
                )

    with checked_before_replacing(check):
        try:
            yield
        except Exception:
            check()
            raise
        check()
