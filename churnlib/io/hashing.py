"""Hashes of ids, which draw samples: the same on every machine and in every version."""

import hashlib

import numpy as np
import polars as pl
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]


def hashes(ids: pl.Series) -> Hashes:
    """Hashes ids to 64 bits, uniformly, and the same on every machine and in every version.

    Args:
        ids: Whole numbers, hashed by the finalizer of MurmurHash3, without collisions; or text,
            hashed by BLAKE2b. The hash of a null is that of 0 or of empty text.

    >>> hashes(pl.Series([1, 2])).tolist()
    [12994781566227106604, 4233148493373801447]
    """
    if ids.dtype == pl.String:
        texts = ids.fill_null("")
        begins = (texts != texts.shift()).fill_null(True)
        digests = np.array([_digest(text) for text in texts.filter(begins)], dtype=np.uint64)
        return digests.take(np.cumsum(begins.to_numpy()) - 1)
    mixed = ids.fill_null(0).cast(pl.Int64).to_numpy().astype(np.uint64)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed ^= mixed >> np.uint64(33)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(33)
    return mixed


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def is_below(limit: int, column: str) -> pl.Expr:
    """A flag per row: whether the hash of an id is below a limit.

    Args:
        limit: The limit, up to 2**64, which all hashes are below.
        column: The column of ids.
    """

    def flags(ids: pl.Series) -> pl.Series:
        return pl.Series(hashes(ids) <= np.uint64(limit - 1))

    if limit <= 0:
        return pl.lit(False)
    return pl.col(column).map_batches(flags, return_dtype=pl.Boolean, is_elementwise=True)
