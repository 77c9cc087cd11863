"""The windows over which events are counted and aggregated."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

PATTERN = r"^(\d{1,4}d|\d{1,4}mo|\d{1,4}d\.\.\d{1,4}d|\d{1,4}mo\.\.\d{1,4}mo)$"
"""A window as text, such as `30d`, `6mo` or `30d..60d`."""


@dataclass(frozen=True)
class EventWindow:
    """A window back from the day of a row: the events `start <= age < end`.

    Attributes:
        text: Its text in the settings.
    """

    text: str

    @property
    def unit(self) -> Literal["d", "mo"]:
        """Whether the age of an event is counted in days, or in calendar months."""
        return "d" if self.text.endswith("d") else "mo"

    @property
    def start(self) -> int:
        """The least age of its events."""
        return self._bounds[0]

    @property
    def end(self) -> int:
        """The age from which on events are older than the window."""
        return self._bounds[1]

    @property
    def name(self) -> str:
        """Its name in those of features.

        >>> EventWindow("30d..060d").name, EventWindow("6mo").name
        ('30d_60d', '6mo')
        """
        bounds = self._bounds if ".." in self.text else self._bounds[1:]
        return "_".join(f"{bound}{self.unit}" for bound in bounds)

    @cached_property
    def _bounds(self) -> tuple[int, int]:
        *first, last = map(int, re.findall(r"\d+", self.text))
        return (*first, 0)[0], last
