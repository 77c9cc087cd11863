"""Names of tables and columns that settings accept, for those that files have."""

import re
import unicodedata
from collections.abc import Container

LONGEST = 64
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def our_name(theirs: str, taken: Container[str], prefix: str) -> str:
    """The name of a column or table in the settings: theirs, unless it is not valid or taken.

    Args:
        theirs: The name in a file.
        taken: The names that it cannot have.
        prefix: What comes before the name where it is taken.

    >>> our_name("SeniorCitizen", (), "own"), our_name("Gebühr (EUR)", (), "own")
    ('SeniorCitizen', 'gebuhr_eur')
    >>> our_name("date", ("date",), "contract"), our_name("2nd line", (), "x")
    ('contract_date', 'c_2nd_line')
    """
    name = theirs
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        ascii_only = unicodedata.normalize("NFKD", theirs).encode("ascii", "ignore").decode()
        name = re.sub(r"\W+", "_", ascii_only.lower()).strip("_") or "column"
        name = (name if name[0].isalpha() else f"c_{name}")[:LONGEST]
    if name in taken:
        name = f"{prefix}_{name}"[:LONGEST]
    number = 2
    while name in taken:
        name = f"{name[: LONGEST - 4].rstrip('0123456789').rstrip('_')}_{number}"
        number += 1
    return name
