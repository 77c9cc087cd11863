"""The files, folders of parts and patterns in a folder that may be raw tables."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from churnlib.errors import DataError, reason
from churnlib.io.raw_files import PARQUET, format_of
from churnlib.proposal.text_format import TextFormat, open_text, text_format
from churnlib.raw.file_format import FORMATS

IN_MEMORY = 300 * 2**20
"""Bytes of a table up to which its rows are held in memory."""
_NUMBERS = re.compile(r"\d+(?:[-_.]\d+)*")
_COMPRESSIONS = ("is compressed with gzip", "is compressed with zstd")


@dataclass(frozen=True)
class Source:
    """What may be a raw table.

    Attributes:
        name: The name of the file or folder, or the pattern of names, in the folder of the tables.
        files: The files.
    """

    name: str
    files: tuple[Path, ...]

    @property
    def is_csv(self) -> bool:
        """Whether its files are text."""
        return self.files[0].suffix != PARQUET

    @property
    def stem(self) -> str:
        """Its name without what follows the first point, and without the marks of a pattern."""
        return re.sub(r"[*._-]+$", "", self.name.replace("*", "").partition(".")[0]) or "table"


@dataclass(frozen=True)
class Opened:
    """The rows of a source, unparsed.

    Attributes:
        source: The source.
        rows: Its rows: text from CSV files, the files' own types from Parquet.
        text: How its text is written; None for Parquet.
        is_in_memory: Whether the rows are held in memory.
    """

    source: Source
    rows: pl.LazyFrame
    text: TextFormat | None
    is_in_memory: bool


def find_sources(folder: Path) -> tuple[list[Source], dict[str, str]]:
    """Finds what may be raw tables in a folder.

    Files with equal columns whose names differ only in numbers, such as `logins_2024-01.csv` and
    `logins_2024-02.csv`, are one table; so are all files of a subfolder.

    Args:
        folder: The folder.

    Returns:
        The sources by name, and why others are none, by name.

    Raises:
        DataError: There is no such folder, or it cannot be read.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if entry.name[0] not in "._")
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {reason(error)}. Name a folder.") from None
    found: list[Source] = []
    skipped: dict[str, str] = {}
    for entry in entries:
        files = _parts(entry) if entry.is_dir() else [entry]
        if problem := _problem(files):
            skipped[entry.name] = problem
        else:
            found.append(Source(entry.name, tuple(files)))
    return _grouped(found), skipped


def open_source(source: Source) -> Opened:
    """Opens a source.

    Raises:
        DataError: It cannot be read.
    """
    try:
        if source.is_csv:
            text = text_format(source.files)
            rows = open_text(source.files, text)
        else:
            text = None
            rows = pl.scan_parquet(list(source.files), glob=False, hive_partitioning=None)
        names = rows.collect_schema().names()
        is_small = sum(file.stat().st_size for file in source.files) <= IN_MEMORY
        rows = rows.collect().lazy() if is_small else rows
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise DataError(f"cannot be read: {reason(error)}") from None
    if any(re.fullmatch(r"[-+\d.,:/ ]*\d[-+\d.,:/ ]*", name) for name in names):
        raise DataError("has no header: add a first line with the names of the columns")
    return Opened(source, rows, text, is_small)


def _parts(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(p[0] in "._" for p in file.relative_to(folder).parts)
    )


def _problem(files: Sequence[Path]) -> str:
    """Why files are no table; empty if they may be one."""
    formats = {format_of(file.name) for file in files}
    if not files or formats == {None}:
        return "is no CSV or Parquet file" if len(files) == 1 else "has no CSV or Parquet files"
    if len(formats) > 1:
        return "has files of several formats: move what is no part of a table elsewhere"
    for file in files:
        try:
            with file.open("rb") as content:
                head = content.read(16)
        except OSError as error:
            return f"cannot be read: {reason(error)}"
        if not head.strip():
            return "is empty"
        known = next((f for f in FORMATS if head.startswith(f.start)), None)
        if known and not known.name.startswith(("is UTF", *_COMPRESSIONS)):
            return f"{known.name}. {known.advice.partition('{')[0]}".rstrip()
        if head.startswith(b"PAR1") != (file.suffix == PARQUET):
            return "is not of the format that its name says"
    return ""


def _grouped(sources: Sequence[Source]) -> list[Source]:
    """Joins files with equal columns whose names differ only in numbers."""
    groups: Mapping[tuple[str, object], list[Source]] = defaultdict(list)
    for source in sources:
        pattern = _pattern(source.name)
        groups[pattern, _columns(source) if pattern != source.name else source.name].append(source)
    joined = []
    for (pattern, _), group in groups.items():
        shape = re.compile("[^/]*".join(map(re.escape, pattern.split("*"))))
        others = [s for s in sources if s not in group and shape.fullmatch(s.name)]
        if len(group) > 1 and not others and all(len(each.files) == 1 for each in group):
            joined.append(Source(pattern, tuple(each.files[0] for each in group)))
        else:
            joined += group
    return sorted(joined, key=lambda source: source.name)


def _pattern(name: str) -> str:
    """The name of a file, without its numbers."""
    suffix = format_of(name) or ""
    stem = name.removesuffix(suffix) if suffix else name
    return _NUMBERS.sub("*", stem) + suffix if suffix else name


def _columns(source: Source) -> object:
    """What files with equal columns have in common."""
    try:
        if not source.is_csv:
            return tuple(pl.scan_parquet(source.files[0]).collect_schema().items())
        return tuple(open_text(source.files, text_format(source.files)).collect_schema())
    except (pl.exceptions.PolarsError, OSError, ValueError):
        return source.name
