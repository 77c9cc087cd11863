"""The types that a raw table takes from a database: numbers, text, flags, days and times."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from churnlib.errors import DataError, reason

EXACT = 2**53
"""Below this, every whole number is exactly representable as a float."""
MOST_DIGITS = 18
"""The digits of a whole number that is an Int64."""
DAYS = (-719_162, 2_932_896)
"""The days from the year 1 to the year 9999, since 1970: others, such as infinity, are no dates."""
_MICROSECONDS_A_DAY = 86_400_000_000
_POSTGRESQL, _MODIFIER = b"POSTGRESQL:type", b"POSTGRESQL:typmod"


@dataclass(frozen=True)
class Column:
    """A column of a query, and the type that it is read as.

    Attributes:
        name: Its name.
        type: The type that it is read as.
        origin: Its type in the database, for messages.
        is_decimal: Whether it holds decimal numbers that become floats.
        is_uuid: Whether it holds the 16 bytes of a UUID, which become text.
    """

    name: str
    type: Any
    origin: str
    is_decimal: bool = False
    is_uuid: bool = False


def columns_of(schema: Any) -> list[Column]:
    """Decides on the type that each column of a query is read as.

    Whole numbers, floats, flags, days and times keep theirs, with microseconds, and zones as UTC.
    Decimal numbers become floats, or Int64 if they are declared to be whole; UUIDs, enumerations
    and JSON become text.

    Raises:
        DataError: A column has another type, such as bytes or a list, or two have one name.
    """
    if twice := sorted({name for name in schema.names if schema.names.count(name) > 1}):
        raise DataError(f"two columns are called {twice[0]}. Name them apart in a query")
    return [_column(field) for field in schema]


def _column(field: Any) -> Column:
    metadata = field.metadata or {}
    origin = metadata.get(_POSTGRESQL, str(field.type).encode()).decode()
    kind, is_uuid = field.type, False
    if isinstance(kind, pa.BaseExtensionType):
        is_uuid = "uuid" in kind.extension_name
        kind = kind.storage_type
    if origin == "numeric" or pa.types.is_decimal(kind):
        precision, scale = _digits(kind, metadata)
        whole = scale == 0 and precision <= MOST_DIGITS
        return Column(field.name, pa.int64() if whole else pa.float64(), origin, not whole)
    if origin == "money" or not (is_uuid or (target := _target(kind))):
        raise DataError(
            f"the column {field.name} is of type {origin}, which a table cannot have. Cast it to a "
            "number, text, a day or a time in a query, or leave it out there"
        )
    return Column(field.name, pa.string() if is_uuid else target, origin, is_uuid=is_uuid)


def _digits(kind: Any, metadata: Any) -> tuple[int, int]:
    """Precision and scale of decimal numbers; many digits where none are declared."""
    if pa.types.is_decimal(kind):
        return kind.precision, kind.scale
    modifier = int(metadata.get(_MODIFIER, -1)) - 4
    return (modifier >> 16, modifier & 0xFFFF) if modifier >= 0 else (EXACT, EXACT)


def _target(kind: Any) -> Any:
    if pa.types.is_dictionary(kind):
        return _target(kind.value_type)
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if pa.types.is_date(kind):
        return pa.date32()
    keeps = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string)
    return kind if any(test(kind) for test in keeps) else None


def converted(batches: Iterable[Any], columns: Sequence[Column]) -> Iterator[Any]:
    """Converts record batches to the types of their columns.

    Raises:
        DataError: A day lies outside the years 1 to 9999, or a whole number is too large for a
            float.
    """
    schema = pa.schema([(column.name, column.type) for column in columns])
    for batch in batches:
        arrays = [_array(values, column) for values, column in zip(batch, columns, strict=True)]
        yield pa.record_batch(arrays, schema=schema)


def _array(values: Any, column: Column) -> Any:
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if column.is_uuid:
        return values if pa.types.is_string(values.type) else _uuid_text(values)
    found = _cast(values, column)
    if column.is_decimal:
        _check_exact(values.cast(pa.string()), found, column)
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        _check_days(found, column)
    return found


def _cast(values: Any, column: Column) -> Any:
    if values.type == column.type:
        return values
    is_rounded = pa.types.is_timestamp(values.type)  # Nanoseconds are cut off.
    try:
        return values.cast(column.type, safe=not is_rounded)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"the column {column.name}, of type {column.origin}, cannot be read as {column.type} "
            f"({reason(error)}). Cast it in a query"
        ) from None


def _uuid_text(values: Any) -> Any:
    """The text of UUIDs, from their bytes."""
    import polars as pl

    digits = pl.Series(values.cast(pa.binary())).bin.encode("hex")
    pattern = "(.{8})(.{4})(.{4})(.{4})(.{12})"
    return pa.array(digits.str.replace(pattern, "$1-$2-$3-$4-$5").to_arrow(), pa.string())


def _check_exact(texts: Any, numbers: Any, column: Column) -> None:
    """Refuses whole numbers that a float would round: two ids would become one."""
    is_large = pc.and_(pc.is_finite(numbers), pc.greater_equal(pc.abs(numbers), EXACT))
    is_whole = pc.match_substring_regex(texts, r"^-?\d+(\.0*)?$")
    if pc.any(pc.and_(is_large, is_whole)).as_py():
        example = texts.filter(pc.and_(is_large, is_whole))[0].as_py()
        raise DataError(
            f"the column {column.name} is of type {column.origin} and holds {example}, which a "
            "float would round. Cast it in a query: to bigint or text if it is an id, else to a "
            "float"
        )


def _check_days(values: Any, column: Column) -> None:
    is_date = pa.types.is_date(column.type)
    numbers = values.view(pa.int32() if is_date else pa.int64())
    first, end = (day * (1 if is_date else _MICROSECONDS_A_DAY) for day in (DAYS[0], DAYS[1] + 1))
    outside = pc.or_(pc.less(numbers, first), pc.greater_equal(numbers, end))
    if pc.any(outside).as_py():
        raise DataError(
            f"the column {column.name} holds a day outside the years 1 to 9999, such as infinity. "
            f"Replace it in a query, as in nullif({column.name}, 'infinity')"
        )
