"""The file of a model: written as skops or joblib, and opened where every type in it is trusted."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnlib.errors import ModelError, reason

if TYPE_CHECKING:
    from churnlib.model.fitted_model import Fitted

TRUSTED_TYPES = (
    "churnlib.model.boosting.LGBMClassifier",
    "churnlib.model.boosting.LGBMFromParts",
    "churnlib.model.columns.OfKind",
    "collections.OrderedDict",
    "functools.partial",
    "lightgbm.basic.Booster",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
    "skrub._apply_to_cols.ApplyToCols",
    "skrub._apply_to_each_col.ApplyToEachCol",
    "skrub._apply_to_sub_frame.ApplyToSubFrame",
    "skrub._select_cols.DropCols",
    "skrub._select_cols.SelectCols",
    "skrub._squashing_scaler.SquashingScaler",
    "skrub._string_encoder.StringEncoder",
    "skrub._to_str.ToStr",
    "skrub.selectors._base.Cols",
)
"""Types that a model file may hold beside those that skops trusts itself: they hold data, and what
functions and types they hold in turn is checked by itself. A list beside the model would be
trusted on the word of whoever wrote the model."""


def dump_pipeline(pipeline: "Fitted", file: Path) -> None:
    """Writes a pipeline, in the format that the suffix names.

    Raises:
        ModelError: It holds types that a skops file may not.
    """
    if file.suffix == ".joblib":
        import joblib

        joblib.dump(pipeline, file)
        return
    file.write_bytes(as_skops(pipeline))


def as_skops(pipeline: "Fitted") -> bytes:
    """Makes a skops file of a pipeline, fitted or not.

    Raises:
        ModelError: It holds types that are not trusted; names them.
    """
    from skops import io

    data: bytes = io.dumps(pipeline)
    if unknown := _untrusted(data):
        raise ModelError(
            f"the pipeline holds types that a skops file may not: {', '.join(unknown)}. "
            'Choose other steps, or set train.model_format = "joblib", which runs what it loads.'
        )
    return data


def load_pipeline(name: str, data: bytes, where: str, remedy: str) -> Any:
    """Opens a model file, in the format that the suffix names.

    Args:
        name: The file's name; of a joblib file everything is trusted.
        data: What is in it.
        where: Which model, for messages.
        remedy: What to do where it cannot be opened, for messages.

    Raises:
        ModelError: It holds a type that is not trusted, is of another scikit-learn, or is damaged.
    """
    with _version_warnings_raised(where, remedy):
        try:
            if name.endswith(".joblib"):
                import joblib

                return joblib.load(BytesIO(data))
            from skops import io

            unknown = _untrusted(data)
            loaded = None if unknown else io.loads(data, trusted=list(TRUSTED_TYPES))
        except Warning:
            raise
        except Exception as error:  # Whatever a damaged file makes its reader stumble on.
            what = f"{name} cannot be opened ({type(error).__name__}: {reason(error)})"
            raise ModelError(f"{where}: {what}. {remedy}") from error
    if unknown:
        raise ModelError(f"{where}: its file holds types not trusted: {', '.join(unknown)}.")
    return loaded


def _untrusted(data: bytes) -> list[str]:
    from skops import io

    return sorted(set(io.get_untrusted_types(data=data)) - set(TRUSTED_TYPES))


@contextmanager
def _version_warnings_raised(where: str, remedy: str) -> Iterator[None]:
    """A model of another scikit-learn only warns when loaded, and may crash or err later."""
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        try:
            yield
        except InconsistentVersionWarning as warning:
            raise ModelError(f"{where}: {str(warning).rstrip('.')}. {remedy}") from None
