"""What values seem to mean that are not of their column's type, and which setting may help."""

import re

import polars as pl

from churnlib.raw import number_texts
from churnlib.raw.times import TIME
from churnlib.schemas.rule_texts import type_text
from churnlib.schemas.spec import TableSpec
from churnlib.shown import one_line

LONGEST = 40
"""Characters of a value of which the meaning is guessed."""
EPOCHS = {10: "seconds", 13: "milliseconds", 16: "microseconds", 19: "nanoseconds"}
"""The units of times since 1970, by their number of digits today."""
_OTHER_DAY = re.compile(
    r"(?P<together>\d{8})|\d{4}(?P<mark>[./])\d{1,2}(?P=mark)\d{1,2}|"
    r"\d{1,2}(?P<last>[./-])\d{1,2}(?P=last)(?P<year>\d{4}|\d\d)"
)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


def value_rule(column: str, spec: TableSpec) -> str:
    """The rule for values of a column, with a day as its files write it."""
    text = type_text(spec.types[column])
    if spec.reading.date_format is None or spec.types[column] not in (pl.Date, pl.Datetime):
        return text
    kind = "date" if spec.types[column] == pl.Date else "time"
    return f'must be a {kind} as tables.{spec.name}.date_format = "{spec.reading.date_format}" says'


def value_hint(text: str, column: str, spec: TableSpec) -> str:
    """Says what a value seems to mean that is not of its column's type.

    Returns:
        Sentences; empty if it is not known.
    """
    dtype, text = spec.types[column], text.strip()
    if len(text) > LONGEST:
        return ""
    if dtype.is_numeric():
        return _of_number(text, column, spec)
    if dtype in (pl.Date, pl.Datetime):
        return _of_time(text, column, spec)
    return ""


def _of_number(text: str, column: str, spec: TableSpec) -> str:
    setting = f"tables.{spec.name}.decimal"
    if spec.reading.decimal != ".":
        if "." not in text:
            return ""
        return f"'{one_line(text)}' in {column} has a point, but {setting} is a comma."
    hint = number_texts.advice(text, column)
    if _DECIMAL_COMMA.fullmatch(text):
        hint = f'{hint} If the file has decimal commas, set {setting} = ",".'
    return hint.strip()


def _of_time(text: str, column: str, spec: TableSpec) -> str:
    unit = EPOCHS.get(len(text.partition(".")[0]))
    if unit and re.fullmatch(r"\d+(\.\d*)?", text):
        return (
            f"'{text}' in {column} seems to be {unit} since 1970: convert it to a time such as "
            "2024-12-31 18:30:00."
        )
    reading, shown = spec.reading, f"To read '{one_line(text)}', set tables.{spec.name}"
    if reading.date_format is None and (formats := _formats_of(text)):
        return f"{shown}.date_format = {formats}."
    zone = re.match(TIME, text)
    if spec.types[column] == pl.Date and zone and zone[3] and reading.time_zone is None:
        return f'{shown}.time_zone, such as "Europe/Berlin".'
    return ""


def _formats_of(text: str) -> str:
    """The formats that a day may be written in; empty if that is not known."""
    if not (found := _OTHER_DAY.fullmatch(text)):
        return ""
    if found["together"]:
        return '"%Y%m%d"'
    mark = found["mark"] or found["last"]
    if found["mark"]:
        return f'"%Y{mark}%m{mark}%d"'
    year = "%Y" if len(found["year"]) == 4 else "%y"
    others = {"/": f' or "%m{mark}%d{mark}{year}"', "-": f' or "{year}{mark}%m{mark}%d"'}
    return f'"%d{mark}%m{mark}{year}"{others.get(mark, "")}'
