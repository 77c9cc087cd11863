"""Settings of cohorts: which rows a subscription has."""

from datetime import date

from churnlib.months import first_day
from churnlib.settings.fields import Flag, Section
from churnlib.settings.row_words import WORDS, Grain


class CohortSettings(Section):
    """The rows of feature tables and predictions. Each has a day, on which it is predicted."""

    grain: Grain = "start"
    """With "start", a subscription has one row, on the day of its start. With "monthly", it has a
    row on the first day of each month in which it runs and has not churned."""
    reads_misses: Flag | None = None
    """Whether features tell the missed months that were known on the day of a row, so that a batch
    needs the misses. If null, they do at the monthly grain."""

    @property
    def is_monthly(self) -> bool:
        """Whether a subscription has a row for each month in which it runs."""
        return self.grain == "monthly"

    @property
    def has_payment_history(self) -> bool:
        """Whether features tell the missed months."""
        return self.is_monthly if self.reads_misses is None else self.reads_misses

    @property
    def row_name(self) -> str:
        """What messages and reports call a row."""
        return WORDS[self.grain].row

    def last_day(self, end: date) -> date:
        """The last day of rows in a window that ends on a day."""
        return first_day(end) if self.is_monthly else end
