"""Which columns refer to which: columns that share their values with the ids of another file."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import polars as pl

from churnlib.proposal.columns import Column, File

COMPARED = 2_000
"""Different values of a column that are looked up among the ids."""
LEAST_SHARE, LEAST_SHARE_UNNAMED = 0.5, 0.95
"""The share of them that must be among the ids: where the names are alike, and where not."""
FEWEST = 20
"""Different values that a column needs where the names are not alike: small numbers are among any
ids."""


@dataclass(frozen=True, eq=False)
class Key:
    """A column with the ids of the rows of a file.

    Attributes:
        file: The file.
        column: The column.
    """

    file: File
    column: Column


@dataclass(frozen=True, eq=False)
class Link:
    """A column that refers to the ids of another file.

    Attributes:
        file: The file.
        column: The column.
        key: The ids.
        share: The share of its values that are among them.
        likeness: How alike the names are, from 0 to 1.
    """

    file: File
    column: Column
    key: Key
    share: float
    likeness: float

    @property
    def score(self) -> float:
        """How certain it is."""
        covered = min(1.0, self.column.distinct / max(1, self.key.column.distinct))
        return self.share * (0.25 + self.likeness) + 0.1 * covered


def find_links(files: Sequence[File]) -> list[Link]:
    """Finds the columns that refer to the ids of another file, for each such pair the best."""
    keys = [
        Key(file, column) for file in files for column in file.columns.values() if column.is_key
    ]
    samples = {id(file): _samples(file) for file in files}
    best: dict[tuple[int, int], Link] = {}
    for key in keys:
        ids = key.file.frame.select(key.column.name).collect().to_series().drop_nulls()
        for file in files:
            for link in _links(file, samples[id(file)], key, ids):
                pair = id(file), id(key.column)
                if pair not in best or link.score > best[pair].score:
                    best[pair] = link
    return list(best.values())


def _links(
    file: File, samples: Mapping[str, pl.Series], key: Key, ids: pl.Series
) -> Iterator[Link]:
    if file is key.file:
        return
    for name, sample in samples.items():
        column = file.columns[name]
        if column.type != key.column.type or sample.is_empty():
            continue
        likeness = likeness_of(name, key)
        share = int(sample.is_in(ids.implode()).sum()) / len(sample)
        if share < (LEAST_SHARE if likeness else LEAST_SHARE_UNNAMED):
            continue
        if likeness or column.distinct >= FEWEST:
            yield Link(file, column, key, share, likeness)


def _samples(file: File) -> dict[str, pl.Series]:
    """Different values of each column that may have ids."""
    names = [column.name for column in file.columns.values() if column.may_be_id]
    if not names:
        return {}
    some = [pl.col(name).drop_nulls().unique().head(COMPARED).implode() for name in names]
    found = file.frame.select(some).collect()
    return {name: found[name].explode() for name in names}


def likeness_of(name: str, key: Key) -> float:
    """How alike the name of a column is to that of ids.

    Args:
        name: The column.
        key: The ids: `id` in a file `players.csv` is called `player_id` as well.
    """
    ours, theirs = plain(name), plain(key.column.name)
    thing = plain(key.file.source.stem)
    things = {thing, thing.removesuffix("s"), thing.removesuffix("es")}
    if ours == theirs:
        return 1.0
    if ours in {f"{t}{e}" for t in things for e in ("", "id", "no", "nr", "number", theirs)}:
        return 0.9
    stems = [re.sub(r"(id|no|nr|number|key|uuid|fk)$", "", each) for each in (ours, theirs)]
    if min(map(len, stems)) >= 3:
        if stems[0] == stems[1]:
            return 0.8
        if stems[0] in stems[1] or stems[1] in stems[0]:
            return 0.5
        if SequenceMatcher(None, stems[0], stems[1]).ratio() > 0.8:
            return 0.4
    return 0.0


def plain(name: str) -> str:
    """The letters and digits of a name, in lower case."""
    return re.sub(r"[\W_]", "", name.lower())
