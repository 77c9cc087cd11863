"""Windows of days, one for each flow that selects rows of a cohort."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from churnlib.months import first_day, last_day, shift_months
from churnlib.settings.fields import FIRST_DAY, LAST_DAY, Day, Section, Whole

WindowName = Literal["train", "score", "batch_predict", "batch_score"]

RelativeMonths = Annotated[Whole, Field(ge=-1200, le=1200)]


NEWEST_BATCH = {"start": -1, "monthly": 0}
"""The month of the batch that is predicted by default, relative to that of `as_of`, by grain."""


class Window(Section):
    """A range of the days of rows, both ends included."""

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


def _or_null(schema: dict[str, Any]) -> None:
    """Lets a file say "null"."""
    schema["anyOf"] = [*schema["anyOf"], {"const": "null", "description": "The newest batch."}]


OptionalEnd = Annotated[Day | RelativeMonths, Field(json_schema_extra=_or_null)]


class BatchWindow(Window):
    """The window of a batch, whose ends may be left open."""

    start: OptionalEnd
    """A day, or a number of months from the month of `as_of`: then that month's first day."""
    end: OptionalEnd
    """A day, or a number of months from the month of `as_of`: then that month's last day."""


class Windows(Section):
    """The rows that each flow uses, by their day."""

    train: Window
    score: Window
    batch_predict: BatchWindow
    """Null ends are those of the month before that of `as_of`, and at the monthly grain of its
    month."""
    batch_score: BatchWindow
    """Null ends are those of `batch_predict` a horizon earlier: of the newest batch whose outcomes
    are known."""


def with_default_windows(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fills in the windows of batches that the settings of a game leave open.

    Args:
        values: The settings, not validated yet.
    """
    cohort, windows, horizon = map(values.get, ("cohort", "windows", "horizon_months"))
    grain = cohort.get("grain", "start") if isinstance(cohort, Mapping) else "start"
    if not isinstance(windows, Mapping):
        return dict(values)
    month = NEWEST_BATCH.get(str(grain), 0)  # Another grain is refused later.
    predict = _filled(windows.get("batch_predict"), month, month)
    months = horizon if type(horizon) is int else 0
    ends = predict.values() if isinstance(predict, Mapping) else ()
    before = [(end if type(end) is int else month) - months for end in ends] or [month, month]
    score = _filled(windows.get("batch_score"), *before[:2])
    return {**values, "windows": {**windows, "batch_predict": predict, "batch_score": score}}


def _filled(window: Any, start: int, end: int) -> Any:
    if window is not None and not isinstance(window, Mapping):
        return window
    stated = {name: value for name, value in (window or {}).items() if value is not None}
    return {"start": start, "end": end, **stated}
