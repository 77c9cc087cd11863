"""The error message for a CSV file whose rows quotes join."""

from collections.abc import Sequence

from churnlib.raw.csv_lines import Stray

SHOWN = 3
"""Number of quotes to show."""


def stray_quotes_message(what: str, strays: Sequence[Stray]) -> str:
    """The error message for a CSV file whose rows quotes join.

    Args:
        what: The game and the file.
        strays: The quotes.
    """
    places = "; ".join(map(_stray, strays[:SHOWN]))
    more = f"; and {len(strays) - SHOWN:,} more" if len(strays) > SHOWN else ""
    return (
        f"{what} cannot be read, because of stray quotes: "
        f"{places}{more}. Remove them; a quote in a quoted value is written twice. Nothing was "
        "built from it, and earlier outputs are kept."
    )


def _stray(stray: Stray) -> str:
    first, last, column = stray
    if last == first:
        return f"line {first}, column {column}"
    end = "the end of the file" if last is None else f"line {last}"
    return f"line {first}, column {column}, which joins the lines up to {end}"
