"""The temporary folder for the data of a run."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from churnlib.errors import SettingsError, reason
from churnlib.io import temporary
from churnlib.settings import EngineSettings


@contextmanager
def scratch_folder(engine: EngineSettings) -> Iterator[Path]:
    """Yields a temporary folder in `engine.scratch_dir`, and removes it at the end.

    Raises:
        SettingsError: There is no such folder, or it is not writable.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary.scratch_folder(engine.scratch_dir))
        except OSError as error:
            where = "the system's temporary folder" if engine.scratch_dir is None else "it"
            raise SettingsError(
                f"engine.scratch_dir = {engine.scratch_dir!r}: {where} cannot hold temporary "
                f"files: {reason(error)}. Name a folder that exists and is writable."
            ) from None
        yield folder


def check_scratch_dir(engine: EngineSettings) -> None:
    """Checks that temporary folders can be created.

    Raises:
        SettingsError: See `scratch_folder`.
    """
    with scratch_folder(engine):
        pass
