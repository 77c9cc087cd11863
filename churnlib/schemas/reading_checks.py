"""Whether a table can be read as its settings say, before any file is opened."""

import codecs
import re
from collections.abc import Iterator
from datetime import datetime
from math import isfinite
from zoneinfo import ZoneInfo

import polars as pl

from churnlib.errors import SettingsError, closest
from churnlib.schemas.reading import Reading, fill_value
from churnlib.schemas.rule_texts import type_text
from churnlib.schemas.spec import DATES, TableSpec

EXAMPLE = datetime(2024, 12, 31, 18, 45, 59)
"""A time that a format of dates must write so that it can be read again."""
DIRECTIVES = "YymdebBjFHITRMSpfz"
"""The letters that may follow % in a format of dates."""


def check_reading(spec: TableSpec) -> None:
    """Checks that a table can be read as its record says.

    Raises:
        SettingsError: Names the setting, and what is wrong with it.
    """
    for setting, problem in _problems(spec):
        raise SettingsError(f"tables.{spec.name}.{setting} {problem}")


def _problems(spec: TableSpec) -> Iterator[tuple[str, str]]:
    yield from _of_names(spec)
    yield from _of_fill(spec)
    yield from _of_text(spec.reading)


def _of_names(spec: TableSpec) -> Iterator[tuple[str, str]]:
    ours = list(spec.reading.rename.values())
    for theirs, name in spec.reading.rename.items():
        if name not in spec.columns:
            yield (
                "rename",
                f"gives '{theirs}' the name '{name}', which is no column of the table. "
                f"{closest(name, spec.columns)}",
            )
        if ours.count(name) > 1:
            yield "rename", f"gives two columns the name '{name}'. Remove one of them."


def _of_fill(spec: TableSpec) -> Iterator[tuple[str, str]]:
    for name, value in spec.reading.fill.items():
        if name not in spec.columns:
            yield (
                "fill",
                f"has '{name}', which is no column of the table. {closest(name, spec.columns)}",
            )
        elif name in spec.of_kind("id"):
            yield "fill", f"has '{name}', which is an id, and ids cannot be made up. Remove it."
        elif not _fits(spec, name):
            yield "fill", f"has {name} = {value!r}, which {type_text(spec.types[name])}."


def _fits(spec: TableSpec, name: str) -> bool:
    """Whether a column can have the value that replaces null."""
    try:
        value = fill_value(spec.reading.fill[name], spec.types[name])
    except (ValueError, OverflowError):
        return False
    if isinstance(value, datetime):
        return value.tzinfo is None and DATES[0] <= value.date() <= DATES[1]
    if spec.types[name] == pl.Date:
        return bool(DATES[0] <= value <= DATES[1])
    return not isinstance(value, float) or isfinite(value)


def _of_text(reading: Reading) -> Iterator[tuple[str, str]]:
    separator = reading.separator
    if not separator.isascii() or separator.isalnum() or separator in '"\r\n':
        yield (
            "separator",
            f"is {separator!r}, and must be a mark such as ';' or a tab, of ASCII and no quote.",
        )
    if not _is_encoding(reading.encoding):
        yield (
            "encoding",
            f"is '{reading.encoding}', which is not known. Use one such as utf-8, utf-16, latin-1 "
            "or cp1252.",
        )
    if reading.date_format is not None and (problem := _of_format(reading)):
        yield "date_format", f"is '{reading.date_format}', {problem}"
    if reading.time_zone is not None and not _is_zone(reading.time_zone):
        yield (
            "time_zone",
            f"is '{reading.time_zone}', which is not known. Use a name such as UTC or "
            "Europe/Berlin.",
        )


def _is_encoding(name: str) -> bool:
    try:
        codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError, TypeError):
        return False
    return True


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _of_format(reading: Reading) -> str:
    """What is wrong with a format of dates; empty if nothing is."""
    text = reading.date_format or ""
    for letter in re.findall("%(.?)", text.replace("%%", "")):
        if not letter or letter not in DIRECTIVES:
            known = ", ".join(f"%{each}" for each in DIRECTIVES)
            return f"which has %{letter}. Known: {known}."
    if "%z" in text and not reading.has_zones:
        return "which has %z before its end. Times are read with their zone at the end only."
    if "%f" in text.replace(".%f", ""):
        return "which has %f without a point before it. Write .%f for the fraction of seconds."
    whole = reading.formats[0]
    written = EXAMPLE.strftime(whole.replace("%.f", ".%f"))
    read = pl.Series([written]).str.to_datetime(whole, strict=False, time_unit="us")[0]
    if read is None or read.date() != EXAMPLE.date():
        return "which does not give a day: it needs a year, a month and a day, such as %d.%m.%Y."
    return ""
