"""Temporary folders for the data of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from churnlib.errors import SettingsError, reason
from churnlib.settings import EngineSettings


@contextmanager
def scratch_folder(engine: EngineSettings) -> Iterator[Path]:
    """Yields an empty folder in `engine.scratch_dir`, and removes it at the end.

    Raises:
        SettingsError: There is no such folder, or it is not writable.
    """
    try:
        folder = TemporaryDirectory(prefix="churn-", dir=engine.scratch_dir)
    except OSError as error:
        where = "the system's temporary folder" if engine.scratch_dir is None else "it"
        raise SettingsError(
            f"engine.scratch_dir = {engine.scratch_dir!r}: {where} cannot hold temporary files: "
            f"{reason(error)}. Name a folder that exists and is writable."
        ) from None
    with folder as name:
        yield Path(name)


def check_scratch_dir(engine: EngineSettings) -> None:
    """Checks that temporary folders can be created.

    Raises:
        SettingsError: See `scratch_folder`.
    """
    with scratch_folder(engine):
        pass
