"""How the files of a table write days and numbers, which must be alike in the whole table."""

from collections import Counter
from dataclasses import dataclass, replace

from churnlib.proposal.columns import Column
from churnlib.proposal.kinds import Choice
from churnlib.proposal.tables import Table


@dataclass(frozen=True)
class Writing:
    """How the files of a table write values.

    Attributes:
        date_format: The format of days and times; None for ISO 8601.
        decimal: The decimal mark.
        is_ambiguous: Whether the format is one of several that fit, such as day and month in either
            order.
        problems: The columns with a role that are written otherwise, and what to do.
    """

    date_format: str | None = None
    decimal: str = "."
    is_ambiguous: bool = False
    problems: tuple[str, ...] = ()

    def checked(self, choice: Choice) -> Choice:
        """Leaves out a column that is written otherwise."""
        column = choice.column
        if choice.kind is None or self._reads(column):
            return choice
        how = column.reader.date_format or f"a decimal '{column.reader.decimal}'"
        how = "YYYY-MM-DD" if column.type == "time" and not column.reader.date_format else how
        return replace(
            choice, kind=None, why=f"written otherwise than the others: {how}", is_nullable=False
        )

    def _reads(self, column: Column) -> bool:
        if column.type == "time":
            return _is_part(column.reader.date_format, self.date_format)
        return column.type != "number" or column.reader.decimal == self.decimal


def writing_of(table: Table) -> Writing:
    """Finds out how the files of a table write values: as its roles are written, or as most are."""
    if table.file.text is None:
        return Writing()
    days = [c for c in table.roles.values() if c.type == "time"]
    formats = [c.reader.date_format for c in days or table.file.where("time")]
    longest = sorted(formats, key=lambda f: (-formats.count(f), -len(f or "")))
    used = next(iter(longest), None)
    used = max((f for f in formats if f and used and f.startswith(used)), key=len, default=used)
    marks = Counter(c.reader.decimal for c in table.file.where("number"))
    odd = [c for c in days if not _is_part(c.reader.date_format, used)]
    return Writing(
        used,
        marks.most_common(1)[0][0] if marks else ".",
        any(c.is_ambiguous for c in days),
        tuple(f"{c.name}: write its days as in the other columns." for c in odd),
    )


def _is_part(own: str | None, whole: str | None) -> bool:
    """Whether days in a format are read by another, which may also have a time of day."""
    return own == whole or bool(own and whole and whole.startswith(own))
