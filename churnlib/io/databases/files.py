"""Databases that are files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from churnlib.errors import DataError
from churnlib.io.storage import is_file, local_copy
from churnlib.uris import is_remote, join


@contextmanager
def database_path(path: str, folder: str | None, *, writes: bool) -> Iterator[Path]:
    """Yields the file of a database on this machine; one in an object store is copied to read it.

    Args:
        path: The file; where it is relative, to a folder.
        folder: That folder; the working directory if None.
        writes: Whether the block may write to it; it is created if it does not exist.

    Raises:
        DataError: There is no such file, or it is in an object store and would be written to.
    """
    is_relative = folder is not None and not Path(path).is_absolute()
    uri = join(folder, path) if folder is not None and is_relative else path
    if writes and is_remote(uri):
        raise DataError(f"a database in an object store cannot be written to: {uri}")
    if not writes and not is_file(uri):
        raise DataError(f"there is no file {uri}")
    if writes:
        Path(uri).parent.mkdir(parents=True, exist_ok=True)
        yield Path(uri)
    else:
        with local_copy(uri) as file:
            yield file
