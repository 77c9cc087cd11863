"""The file of a model, in the format of skops or joblib."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from churnlib.errors import ModelError, reason
from churnlib.model.archive import MOST_BYTES, check_archive
from churnlib.model.skops_io import skops_io
from churnlib.model.trust import how_to_trust, types_to_trust, untrusted_types

if TYPE_CHECKING:
    from churnlib.model.fitted_model import Fitted


_ONE_AT_A_TIME = RLock()
"""Held while a file is opened. Filters of warnings are of all threads; and NumPy parses the headers
of arrays as Python, in which threads disturb each other (CPython, gh-106905)."""


def dump_pipeline(pipeline: "Fitted", file: Path) -> None:
    """Writes a pipeline, in the format that the suffix names.

    Raises:
        ModelError: It is too large, or holds types that a skops file may not hold.
    """
    if file.suffix == ".joblib":
        import joblib

        joblib.dump(pipeline, file)
        return
    file.write_bytes(as_skops(pipeline))


def as_skops(pipeline: "Fitted") -> bytes:
    """Serializes a pipeline, fitted or not, in the format of skops.

    Raises:
        ModelError: It is too large, or holds types that are not trusted; names them.
    """
    data: bytes = skops_io().dumps(pipeline)
    if len(data) > MOST_BYTES:
        raise ModelError(
            f"the model takes {len(data):,} bytes, more than the {MOST_BYTES:,} that are opened. "
            "Set fewer trees, or a max_depth or max_leaf_nodes for each."
        )
    if untrusted := untrusted_types(data):
        raise ModelError(
            f"the pipeline holds types that a skops file may not hold: {', '.join(untrusted)}. "
            'Choose other steps, or set train.model_format = "joblib", whose files can run any '
            f"code when they are opened. {_hint(untrusted)}".rstrip()
        )
    return data


def load_pipeline(name: str, data: bytes, where: str, remedy: str) -> Any:
    """Opens a model file, in the format that the suffix names.

    Args:
        name: The file's name. Everything in a joblib file is trusted.
        data: Its content.
        where: The model's name in messages.
        remedy: What to do if it cannot be opened, for messages.

    Raises:
        ModelError: It holds a type that is not trusted, was saved by another version of
            scikit-learn, or is damaged: also where only its trees are; see
            `churnlib.model.compiled_parts`.
    """
    with _ONE_AT_A_TIME, _version_warnings_raised(where, remedy):
        try:
            if name.endswith(".joblib"):
                import joblib

                return joblib.load(BytesIO(data))
            loaded, untrusted = _load_skops(data)
        except (Warning, MemoryError):  # A lack of memory says nothing about the file.
            raise
        except Exception as error:  # A damaged file makes its reader raise anything.
            what = f"{name} cannot be opened ({type(error).__name__}: {reason(error)})"
            raise ModelError(f"{where}: {what}. {remedy}") from error
    if untrusted:
        what = f"its file holds types that are not trusted: {', '.join(untrusted)}."
        raise ModelError(f"{where}: {what} {_hint(untrusted) or remedy}")
    return loaded


def _load_skops(data: bytes) -> tuple[Any, list[str]]:
    """Opens a skops file if it is sound; returns the model, or the types that are not trusted."""
    from churnlib.model.compiled_parts import check_parts

    check_archive(data)
    if untrusted := untrusted_types(data):
        return None, untrusted
    loaded = skops_io().loads(data, trusted=types_to_trust(data))
    check_parts(loaded)
    return loaded, []


def _hint(types: list[str]) -> str:
    return how_to_trust(name.partition(".")[0] for name in types)


@contextmanager
def _version_warnings_raised(where: str, remedy: str) -> Iterator[None]:
    """Refuses a model saved by another version of scikit-learn, which by itself only warns."""
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        try:
            yield
        except InconsistentVersionWarning as warning:
            raise ModelError(f"{where}: {str(warning).rstrip('.')}. {remedy}") from None
