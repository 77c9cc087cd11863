"""The archive of a skops file, checked before anything in it is unpacked."""

import math
import zipfile
from io import BytesIO
from typing import IO

from numpy.lib import format as npy

MOST_BYTES = 4 * 2**30
"""The largest model file, and the most bytes that its members may take."""
MOST_MEMBERS = 500_000
"""A forest has two members a tree, histogram gradient boosting has three."""
MOST_SPARSE_BYTES = 2**28
"""The most bytes that a sparse matrix may take; only these are compressed inside the file."""


def check_archive(data: bytes) -> None:
    """Refuses an archive that would take far more memory than its file.

    skops compresses nothing, so the members of an honest file are never larger than it.

    Raises:
        ValueError: A member is compressed, there are too many, they are larger than the file, or an
            array claims more values than its member holds.
        zipfile.BadZipFile: It is not an archive.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"it has {len(data):,} bytes, more than {MOST_BYTES:,}")
    with zipfile.ZipFile(BytesIO(data)) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its members are compressed, which skops never does")
        _check_sizes(members, len(data))
        for member in members:
            with archive.open(member) as file:
                _check_member(member, file)


def _check_sizes(members: list[zipfile.ZipInfo], most: int) -> None:
    if len(members) > MOST_MEMBERS:
        raise ValueError(f"it has {len(members):,} members, more than {MOST_MEMBERS:,}")
    if (size := sum(member.file_size for member in members)) > most:
        raise ValueError(f"its members would take {size:,} bytes, more than {most:,}")


def _check_member(member: zipfile.ZipInfo, file: IO[bytes]) -> None:
    if member.filename.endswith(".npy"):
        _check_array(member, file)
    elif member.filename.endswith(".npz"):
        with zipfile.ZipFile(BytesIO(file.read())) as matrix:
            _check_sizes(matrix.infolist(), MOST_SPARSE_BYTES)
            for part in matrix.infolist():
                with matrix.open(part) as array:
                    _check_array(part, array)


def _check_array(member: zipfile.ZipInfo, file: IO[bytes]) -> None:
    """Compares the size that the header of an array claims with the bytes that follow it."""
    version = npy.read_magic(file)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(file)
    claimed = math.prod(shape) * max(dtype.itemsize, 1)
    if dtype.hasobject or claimed > member.file_size or min(shape, default=0) < 0:
        raise ValueError(
            f"the array {member.filename} claims {claimed:,} bytes, and has {member.file_size:,}"
        )
