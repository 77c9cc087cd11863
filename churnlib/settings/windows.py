"""Windows of subscription starts, one for each flow that selects subscriptions."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from churnlib.months import first_day, last_day, shift_months
from churnlib.settings.fields import FIRST_DAY, LAST_DAY, Day, Section, Whole

WindowName = Literal["train", "score", "batch_predict", "batch_score"]

RelativeMonths = Annotated[Whole, Field(ge=-1200, le=1200)]


class Window(Section):
    """A range of subscription starts, both ends included."""

    start: Day | RelativeMonths
    """A day, or a number of months from the month of `as_of`: then that month's first day."""
    end: Day | RelativeMonths
    """A day, or a number of months from the month of `as_of`: then that month's last day."""

    def span(self, as_of: date) -> tuple[date, date]:
        """Returns the first and last day of the window for a run as of a day.

        Raises:
            ValueError: The run's day is out of range for relative windows.
        """
        if not FIRST_DAY <= as_of <= LAST_DAY:
            raise ValueError(
                f"the run's day {as_of}, which is as_of or else follows from the data, is not "
                f"from {FIRST_DAY} to {LAST_DAY}. Set as_of, or correct the date"
            )
        start, end = self.start, self.end
        return (
            start if isinstance(start, date) else shift_months(first_day(as_of), start),
            end if isinstance(end, date) else last_day(shift_months(first_day(as_of), end)),
        )

    @property
    def is_relative(self) -> bool:
        """Whether both ends move with `as_of`."""
        return isinstance(self.start, int) and isinstance(self.end, int)

    @property
    def is_fixed(self) -> bool:
        """Whether both ends are days."""
        return isinstance(self.start, date) and isinstance(self.end, date)

    @model_validator(mode="after")
    def _in_order(self) -> "Window":
        if self.is_relative or self.is_fixed:
            first, last = self.span(date(2000, 1, 1))
            if first > last:
                raise ValueError(f"start {self.start} is after end {self.end}")
        return self


class Windows(Section):
    """The subscriptions that each flow uses, by their start."""

    train: Window
    score: Window
    batch_predict: Window
    batch_score: Window
