"""The fast reader of raw tables: it reads every value with its column's type, or not at all."""

from collections.abc import Iterator

import polars as pl

from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import reader_options
from churnlib.raw.cells import cleaned, values_among_nulls
from churnlib.raw.csv_lines import profile
from churnlib.raw.file_format import check_format
from churnlib.raw.opening import check_columns, explain_open_errors, label, open_parquet
from churnlib.raw.parse import DAY, parsed_value
from churnlib.raw.parts import Part, parts_of
from churnlib.schemas.spec import TableSpec


class UncleanError(Exception):
    """A raw table may have a fault, so the careful reader must be used."""


def scan_clean(source: Dataset | DatasetRef, spec: TableSpec) -> Iterator[pl.LazyFrame]:
    """Opens a raw table, assuming that every value is of its column's type.

    Args:
        source: The file, or a folder of parts.
        spec: The raw table's record.

    Yields:
        The columns of the table, part by part, with the values that `churnlib.raw.parse.typed`
        returns; reading raises a `PolarsError` if a value is of another type.

    Raises:
        DataError: A file cannot be read, or a column is missing or duplicated.
        UncleanError: The careful reader must be used.
    """
    with explain_open_errors(source):
        for part in parts_of(source):
            yield _clean_csv(part, spec) if part.is_csv else _clean_parquet(part, spec)


def _clean_csv(part: Part, spec: TableSpec) -> pl.LazyFrame:
    check_format(part.uri, label(part), is_csv=True)
    csv = profile(part.uri)
    check_columns(part, spec, csv.names)
    if not csv.is_plain:
        raise UncleanError
    types = spec.types
    as_read = {n: pl.String() if d == pl.Date else d for n, d in types.items()}
    schema = {name: as_read.get(name, pl.String()) for name in csv.names}
    options = reader_options(part.uri)
    nulls = values_among_nulls(spec) or None
    read = pl.scan_csv(part.uri, schema=schema, null_values=nulls, glob=False, **options)
    return read.select(
        _day(name, spec, is_strict=csv.has_signs)
        if dtype == pl.Date
        else cleaned(pl.col(name), dtype, spec, is_trimmed=not csv.has_signs)
        if dtype == pl.String
        else pl.col(name)
        for name, dtype in types.items()
    )


def _clean_parquet(part: Part, spec: TableSpec) -> pl.LazyFrame:
    frame = open_parquet(part, spec)
    source_types = frame.collect_schema()
    return frame.select(
        _converted(name, source_types[name], dtype, spec)
        if name in source_types
        else _constant(part.values[name], name, spec)
        for name, dtype in spec.types.items()
    )


def _is_compatible(source: pl.DataType, target: pl.DataType) -> bool:
    """Whether values of a type can be cast to another, unless they are out of range."""
    if isinstance(source, pl.Datetime):
        return source.time_zone is None and target == pl.Date
    if source == pl.Null:
        return True
    is_whole = source.is_integer() and target.is_integer()
    return source == target or is_whole or (source.is_numeric() and target.is_float())


def _converted(name: str, source: pl.DataType, target: pl.DataType, spec: TableSpec) -> pl.Expr:
    """Casts the values of a Parquet file; one that cannot be cast raises when it is read."""
    if not _is_compatible(source, target):
        raise UncleanError
    value = cleaned(pl.col(name), source, spec)
    if isinstance(source, pl.Datetime):
        is_midnight = value == value.dt.truncate("1d")
        day = pl.when(is_midnight | value.is_null()).then(value.dt.epoch("d").cast(pl.Int64))
        value = day.otherwise(2**40).cast(pl.Int32)
    return value.cast(target).alias(name)


def _constant(text: str | None, name: str, spec: TableSpec) -> pl.Expr:
    """The value that the folder of a partition names."""
    cell, value = parsed_value(text, name, spec)
    if cell is not None and value is None:
        raise UncleanError
    return pl.lit(value, spec.types[name]).alias(name)


def _day(name: str, spec: TableSpec, *, is_strict: bool) -> pl.Expr:
    """A day such as 2024-12-31, or its midnight; other text raises when it is read."""
    text = pl.col(name)
    if is_strict:
        day = text.str.extract(DAY)
        is_day = day.is_not_null()
    else:  # Without the characters that parsers skip, no other text of ten bytes parses as a day.
        day, is_day = text, (text.str.len_bytes() == 10) & ~text.str.starts_with("-")
    text = pl.when(is_day | text.is_null()).then(day).otherwise(pl.lit("?"))
    known = text.replace(spec.no_date, None) if spec.no_date else text
    return known.str.to_date("%Y-%m-%d").alias(name)
