"""Days and times of raw tables, as text or typed: wall times without a zone.

A time with a zone is that of the zone of the settings, or else its own wall time.
"""

import polars as pl

from churnlib.schemas.reading import Reading
from churnlib.schemas.spec import TableSpec

_OFFSET = r"Z|[+-](?:0\d|1[0-8])(?::?[0-5]\d)?"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?"
TIME = rf"^(\d{{4}}-\d{{2}}-\d{{2}})(?:[T ]({_CLOCK}) ?({_OFFSET})?)?$"
"""The text of a time: its day, its time of day and its zone, of which the last two may be missing.
"""
DAY = r"^(\d{4}-\d{2}-\d{2})(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|\+00:?00)?)?$"
"""The text of a day, also as a timestamp of its midnight; one with another zone may mean another.
"""
_ZONE_AT_END = rf"\s*({_OFFSET})$"
TYPE = pl.Datetime("us")
_SECOND = 1_000_000
MOST_DAYS = 90_000_000
"""The most days between 1970 and a day that is looked at."""
UNITS_A_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
"""How often a day has a unit of time."""


def is_plain_day(spec: TableSpec) -> bool:
    """Whether the text of a day is its ISO date, or its midnight wherever that is."""
    return spec.reading.date_format is None and spec.reading.time_zone is None


def time_of(value: pl.Expr, source: pl.DataType, reading: Reading) -> pl.Expr:
    """Converts values to times; null where they are none.

    Args:
        value: Days, times of any unit and zone, or text.
        source: Their type.
        reading: How text writes them, and the zone in which times with a zone are given.
    """
    if source == pl.String:
        return _of_text(value, reading)
    if source not in (pl.Date, pl.Datetime):
        return pl.lit(None, TYPE)
    value = pl.when(has_year(value, source)).then(value)
    if isinstance(source, pl.Datetime) and source.time_zone is not None:
        zone = reading.time_zone
        value = value.dt.convert_time_zone(zone) if zone else value
        value = value.dt.replace_time_zone(None)
    return value.cast(TYPE, strict=False)


def day_of(time: pl.Expr) -> pl.Expr:
    """The day of a time that is its midnight; null for others."""
    return pl.when(time == time.dt.truncate("1d")).then(time.dt.date())


def days_since_1970(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Days or times as days since 1970, whatever the year: other functions of Polars may panic."""
    unit = dtype.time_unit if isinstance(dtype, pl.Datetime) else ""
    return value.to_physical().cast(pl.Int64) // UNITS_A_DAY.get(unit, 1)


def has_year(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Whether days or times lie in the years that Polars can write, about 250,000 either way."""
    return days_since_1970(value, dtype).is_between(-MOST_DAYS, MOST_DAYS)


def _of_text(text: pl.Expr, reading: Reading) -> pl.Expr:
    if reading.date_format is not None:
        zone = text.str.extract(_ZONE_AT_END) if reading.has_zones else None
        wall_text = text.str.replace(_ZONE_AT_END, "") if reading.has_zones else text
        times = [
            wall_text.str.to_datetime(each, strict=False, time_unit="us")
            for each in reading.formats
        ]
        return _in_zone(pl.coalesce(times), zone, reading)
    parts = text.str.extract_groups(TIME).struct
    day = parts[0].str.to_date("%Y-%m-%d", strict=False)
    return _in_zone(day.cast(TYPE) + _since_midnight(parts[1]), parts[2], reading)


def _since_midnight(clock: pl.Expr) -> pl.Expr:
    """The duration of a time of day such as `18:30` or `18:30:05.25`; zero without one."""
    hours, minutes, seconds = (_number(clock.str.slice(at, 2)) for at in (0, 3, 6))
    fraction = _number(clock.str.slice(9, 6).str.pad_end(6, "0"))
    micros = ((hours * 60 + minutes) * 60 + seconds) * _SECOND + fraction
    return micros.cast(pl.Duration("us"))


def _number(digits: pl.Expr) -> pl.Expr:
    return digits.cast(pl.Int64, strict=False).fill_null(0)


def _in_zone(wall: pl.Expr, offset: pl.Expr | None, reading: Reading) -> pl.Expr:
    """Moves times with an offset from UTC to the zone of the settings, if there is one."""
    if reading.time_zone is None or offset is None:
        return wall
    hours = _number(offset.str.slice(1, 2))
    minutes = _number(offset.str.tail(2).str.strip_chars("Z"))
    size = hours * 60 + pl.when(offset.str.len_bytes() > 3).then(minutes).otherwise(0)
    ahead = pl.when(offset.str.starts_with("-")).then(-size).otherwise(size)
    instant = wall - (ahead * 60 * _SECOND).cast(pl.Duration("us"))
    utc = instant.dt.replace_time_zone("UTC").dt.convert_time_zone(reading.time_zone)
    return pl.when(offset.is_null()).then(wall).otherwise(utc.dt.replace_time_zone(None))
