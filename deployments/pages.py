"""Reads lists that a server returns page by page."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def read_all(read: Callable[[int], list[T]]) -> list[T]:
    """Reads all pages of a list.

    Args:
        read: Reads the page that starts after a number of items.
    """
    items: list[T] = []
    while page := read(len(items)):
        items += page
    return items
