"""Text that is no number: what it seems to mean, and how to write it."""

import re

from churnlib.shown import one_line

LONGEST = 40
"""Characters of a text that may be meant as a number."""
_SIGN = r"[+-]?"
_BLANK = r"[ \t\u00a0\u2009\u202f]"
_GROUPED = re.compile(
    rf"({_SIGN}\d{{1,3}})(?:({_BLANK}|['\u2019_])\d{{3}})(?:\2\d{{3}})*([.,]\d+)?"
)
_COMMAS = re.compile(rf"{_SIGN}\d{{1,3}}(,\d{{3}})+(\.\d+)?")
_POINTS = re.compile(rf"{_SIGN}\d{{1,3}}(\.\d{{3}})+(,\d+)?")
_COMMA = re.compile(rf"{_SIGN}\d*,\d+")
_UNIT = re.compile(rf"(?P<before>[^\d+.,-]*){_SIGN}[\d.,]*\d(?P<after>\D*)")


def advice(text: str, column: str) -> str:
    """Says what a text in a column of numbers seems to mean, and how to write it.

    Args:
        text: The text of a cell, which is not read as a number.
        column: Its column.

    Returns:
        A sentence; empty if it is not known.

    >>> advice("1.234,5", "price")
    "'1.234,5' in price seems to have marks between thousands: write 1234.5."
    >>> advice("1,234", "price")  # doctest: +ELLIPSIS
    "'1,234' in price seems to have marks between thousands, or a comma ...: write 1234 or 1.234."
    >>> advice("12 EUR", "price")
    "'12 EUR' in price seems to have a unit: write plain numbers, all in the same unit."
    """
    text = text.strip()
    if len(text) > LONGEST:
        return ""
    what = f"'{one_line(text)}' in {column} seems to have"
    thousands = f"{what} marks between thousands"
    if _COMMAS.fullmatch(text) and text.count(",") == 1 and "." not in text:
        either = text.replace(",", ""), text.replace(",", ".")
        return f"{thousands}, or a comma for the decimal point: write {' or '.join(either)}."
    if _COMMAS.fullmatch(text):
        return f"{thousands}: write {text.replace(',', '')}."
    if _POINTS.fullmatch(text):
        return f"{thousands}: write {_without_points(text)}."
    if found := _GROUPED.fullmatch(text):
        return f"{thousands}: write {text.replace(found[2], '').replace(',', '.')}."
    if _COMMA.fullmatch(text):
        return f"{what} a comma for the decimal point: write {text.replace(',', '.')}."
    unit = _UNIT.fullmatch(text)
    if unit and (unit["before"].strip() or unit["after"].strip()):
        return f"{what} a unit: write plain numbers, all in the same unit."
    return ""


def _without_points(text: str) -> str:
    """Points between thousands are removed; those of `12.000` may be decimals."""
    written = text.replace(".", "").replace(",", ".")
    is_clear = "," in text or text.count(".") > 1
    return written if is_clear else f"{written}, or {text.partition('.')[0]} if it has decimals"
