"""The fast reader of raw tables: it reads every value with its column's type, or not at all."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import reader_options
from churnlib.raw.cells import cleaned, values_among_nulls
from churnlib.raw.csv_lines import profile
from churnlib.raw.file_format import check_format
from churnlib.raw.opening import (
    Columns,
    check_columns,
    explain_open_errors,
    in_our_names,
    open_parquet,
)
from churnlib.raw.parse import fill, ordering, parsed_value, read_column
from churnlib.raw.parts import Part, parts_of
from churnlib.raw.plain_text import as_plain_text
from churnlib.raw.times import DAY, is_plain_day
from churnlib.schemas.spec import TableSpec


class UncleanError(Exception):
    """A raw table may have a fault, so the careful reader must be used."""


def scan_clean(
    source: Dataset | DatasetRef, spec: TableSpec, folder: Path
) -> Iterator[pl.LazyFrame]:
    """Opens a raw table, assuming that every value is of its column's type.

    Args:
        source: The file, a folder of parts, or a pattern.
        spec: The raw table's record.
        folder: Where plain text of other files is kept while it is read.

    Yields:
        The columns of the table, part by part, with the values that `churnlib.raw.parse.typed`
        returns; reading raises a `PolarsError` if a value is of another type. A part must be read
        before the next is asked for.

    Raises:
        DataError: A file cannot be read, or a column is missing or duplicated.
        UncleanError: The careful reader must be used.
    """
    with explain_open_errors(source):
        for part in parts_of(source):
            if not part.is_csv:
                yield _clean_parquet(part, spec)
                continue
            plain = as_plain_text(part, spec.reading, folder)
            yield _clean_csv(plain, spec)
            if plain.file != plain.uri:
                Path(plain.file).unlink(missing_ok=True)


def _clean_csv(part: Part, spec: TableSpec) -> pl.LazyFrame:
    check_format(part.file, part.label, is_csv=True, table=spec.name)
    csv = profile(part.file, spec.reading.separator)
    columns = check_columns(part, spec, csv.names)
    if not csv.is_plain:
        raise UncleanError
    as_read = {
        columns.in_file[name]: pl.String() if _is_read_as_text(dtype, spec) else dtype
        for name, dtype in spec.types.items()
        if name in columns.in_file
    }
    read = pl.scan_csv(
        part.file,
        schema={name: as_read.get(name, pl.String()) for name in csv.names},
        null_values=values_among_nulls(spec) or None,
        separator=spec.reading.separator,
        glob=False,
        **reader_options(part.file),
    )
    values = {name: _of_csv(name, spec, has_signs=csv.has_signs) for name in columns.in_file}
    return _select(in_our_names(read, columns), values, columns, spec)


def _is_read_as_text(dtype: pl.DataType, spec: TableSpec) -> bool:
    is_comma = dtype.is_float() and spec.reading.decimal != "."
    return is_comma or dtype in (pl.Date, pl.Datetime, pl.Boolean)


def _of_csv(name: str, spec: TableSpec, *, has_signs: bool) -> pl.Expr:
    dtype = spec.types[name]
    if dtype == pl.Date and is_plain_day(spec):
        return _day(name, spec, is_strict=has_signs)
    if _is_read_as_text(dtype, spec):
        return _strictly(name, pl.String(), spec)
    value = pl.col(name)
    return cleaned(value, dtype, spec, is_trimmed=not has_signs) if dtype == pl.String else value


def _clean_parquet(part: Part, spec: TableSpec) -> pl.LazyFrame:
    frame, columns = open_parquet(part, spec)
    types = frame.collect_schema()
    values = {name: _converted(name, types[name], spec.types[name], spec) for name in types}
    return _select(frame, values, columns, spec)


def _select(
    frame: pl.LazyFrame, values: Mapping[str, pl.Expr], columns: Columns, spec: TableSpec
) -> pl.LazyFrame:
    """The columns of the table, of those of a file and of the names of its folders."""
    values = {**values, **{n: _constant(text, n, spec) for n, text in columns.in_folders.items()}}
    return frame.select(_finished(values[name], name, spec) for name in spec.types)


def _finished(value: pl.Expr, name: str, spec: TableSpec) -> pl.Expr:
    value = value.fill_null(fill(name, spec)) if name in spec.reading.fill else value
    return ordering(value, name, spec).alias(name)


def _strictly(name: str, source: pl.DataType, spec: TableSpec) -> pl.Expr:
    """Parses values as the careful reader does; one that cannot be parsed raises when read."""
    cell, value = read_column(name, source, spec)

    def parsed(values: pl.Series) -> pl.Series:
        # At once: in a lazy frame, Polars would compute what both have in common several times.
        rows = pl.DataFrame({name: values}).select(cell=cell, value=value)
        if rows["value"].null_count() != rows["cell"].null_count():
            raise pl.exceptions.ComputeError(f"a value of {name} cannot be parsed")
        return rows["value"]

    return pl.col(name).map_batches(parsed, return_dtype=spec.types[name], is_elementwise=True)


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
    if target == pl.Datetime and source in (pl.Datetime, pl.Date):
        return _strictly(name, source, spec)
    if target == pl.Boolean and source.is_integer():
        return _strictly(name, source, spec)
    if not _is_compatible(source, target):
        raise UncleanError
    value = cleaned(pl.col(name), source, spec)
    if isinstance(source, pl.Datetime):
        is_midnight = value == value.dt.truncate("1d")
        day = pl.when(is_midnight | value.is_null()).then(value.dt.epoch("d").cast(pl.Int64))
        value = day.otherwise(2**40).cast(pl.Int32)
    return value.cast(target)


def _constant(text: str | None, name: str, spec: TableSpec) -> pl.Expr:
    """The value that the folder of a partition names."""
    cell, value = parsed_value(text, name, spec)
    if cell is not None and value is None:
        raise UncleanError
    return pl.lit(value, spec.types[name])


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
    return known.str.to_date("%Y-%m-%d")
