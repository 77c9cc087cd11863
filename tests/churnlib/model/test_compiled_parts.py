"""Model files whose trees lead outside of their arrays are refused before they are applied."""

import copy
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from churnlib.errors import ModelError
from churnlib.model.boosting import LGBMFromParts
from churnlib.model.boosting_text import check_text
from churnlib.model.compiled_parts import check_parts
from churnlib.model.persistence import as_skops, load_pipeline
from tests.churnlib.model.samples import usual

Change = Callable[[Any], None]
X, Y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 2


def open_file(data: bytes) -> Any:
    return load_pipeline("model.skops", data, "hawk: model v1", "Train again.")


def copied(name: str) -> Any:
    return copy.deepcopy(usual(name).pipeline)


def steps_of(pipeline: Any) -> list[tuple[str, Any]]:
    """The steps of a pipeline, also inside its calibration."""
    while not hasattr(pipeline, "steps"):
        pipeline = pipeline.estimator
    steps: list[tuple[str, Any]] = pipeline.steps
    return steps


def with_arrays(data: bytes, field: str, value: int) -> bytes:
    """A copy of a skops file with a field of all arrays of nodes replaced."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w") as changed:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(content))
                if field in (array.dtype.names or ()):
                    array[field] = value
                    saved = io.BytesIO()
                    np.save(saved, array)
                    content = saved.getvalue()
            changed.writestr(name, content)
    return target.getvalue()


FIELDS = [
    ("boosting", "left", 2**31),
    ("boosting", "right", 0),
    ("boosting", "feature_idx", -1),
    ("boosting", "feature_idx", 2**40),
    ("boosting", "bitset_idx", 2**31),
    ("boosting", "is_categorical", 1),
    ("forest", "left_child", 2**40),
    ("forest", "right_child", -2),
    ("forest", "feature", 2**40),
    ("gradient_boosting", "left_child", 0),
    ("gradient_boosting", "feature", -3),
]


@pytest.mark.parametrize(("name", "field", "value"), FIELDS)
def test_nodes_that_lead_outside_of_their_tree_are_refused(
    name: str, field: str, value: int
) -> None:
    data = with_arrays(as_skops(usual(name).pipeline), field, value)
    with pytest.raises(ModelError, match=r"hawk: model v1: model.skops cannot be opened .* Train"):
        open_file(data)


RUN = """
import sys
from skops import io
from churnlib.errors import ModelError
from churnlib.model.persistence import load_pipeline
from churnlib.model.trust import types_to_trust
from tests.churnlib.model.samples import features, usual
data = open(sys.argv[1], "rb").read()
if sys.argv[2] == "unchecked":
    usual_columns = usual("forest").schema.apply(features())
    io.loads(data, trusted=types_to_trust(data)).predict_proba(usual_columns)
else:
    try:
        load_pipeline("model.skops", data, "hawk: model v1", "Train again.")
    except ModelError as error:
        print(error)
"""


@pytest.mark.slow
def test_a_file_that_would_crash_the_process_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.skops"
    file.write_bytes(with_arrays(as_skops(usual("forest").pipeline), "left_child", 2**40))
    results = [
        subprocess.run([sys.executable, "-c", RUN, file, how], capture_output=True, text=True)
        for how in ("unchecked", "checked")
    ]
    assert results[0].returncode < 0  # A signal.
    assert (results[1].returncode, results[1].stderr) == (0, "")
    assert "a node of a tree leads outside of its" in results[1].stdout


def without_columns(model: Any) -> None:
    model.n_features_in_ = 2


def of_more_columns(model: Any) -> None:
    model.estimators_[3].n_features_in_ = 99


def in_fit(model: Any) -> None:
    model._in_fit = True


def drop_columns(model: Any) -> None:
    model._preprocessor.transformers_ = model._preprocessor.transformers_[:1]


def swap_step(model: Any) -> None:
    steps = model._preprocessor.transformers_
    steps[0] = (steps[0][0], "passthrough", steps[0][2])


def second_column_of_trees(model: Any) -> None:
    model.estimators_ = np.hstack([model.estimators_, model.estimators_])


def replace_method(model: Any) -> None:
    model.predict_proba = max


def no_categories(model: Any) -> None:
    model._bin_mapper.is_categorical_ = np.zeros(model.n_features_in_, dtype=bool)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("forest", without_columns),
        ("forest", of_more_columns),
        ("forest", replace_method),
        ("boosting", without_columns),
        ("boosting", in_fit),
        ("boosting", drop_columns),
        ("boosting", swap_step),
        ("boosting", no_categories),
        ("gradient_boosting", second_column_of_trees),
        ("logistic", without_columns),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(name: str, change: Change) -> None:
    pipeline = copied(name)
    check_parts(pipeline)
    change(steps_of(pipeline)[-1][1])
    with pytest.raises(ValueError, match=r"\w"):
        check_parts(pipeline)


def test_encoders_that_count_fewer_columns_than_they_write_are_refused() -> None:
    pipeline = copied("logistic")
    encoder = pipeline.steps[0][1].named_transformers_["categories"]
    encoder._n_features_outs = [1 for _ in encoder._n_features_outs]
    with pytest.raises(ValueError, match="_n_features_outs has other sizes"):
        check_parts(pipeline)


def test_words_beyond_the_vocabulary_are_refused() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer().fit(["a bee", "see a sea"])
    check_parts(words)
    words.vocabulary_["bee"] = 10**6
    with pytest.raises(ValueError, match="vocabulary_ has gaps"):
        check_parts(words)


def test_neighbours_with_unknown_outcomes_are_refused() -> None:
    model = KNeighborsClassifier().fit(X, Y)
    check_parts(model)
    model._y = model._y + 2**40
    with pytest.raises(ValueError, match=r"_y leads outside of its 2"):
        check_parts(model)


def test_support_vectors_that_are_counted_wrongly_are_refused() -> None:
    model = SVC().fit(X, Y)
    check_parts(model)
    model._n_support = model._n_support + 1000
    with pytest.raises(ValueError, match="_n_support counts other vectors"):
        check_parts(model)


@pytest.mark.parametrize("cls", [SVC, NuSVC, SVR, NuSVR, OneClassSVM])
def test_counts_of_fewer_classes_of_support_vectors_are_refused(cls: type) -> None:
    model = cls().fit(X, Y)
    check_parts(model)
    model._n_support = np.array([len(model.support_)], dtype=np.int32)
    with pytest.raises(ValueError, match="_n_support has another size"):
        check_parts(model)


def test_isotonic_steps_of_another_length_are_refused() -> None:
    pipeline = copied("boosting_calibrated")
    calibrator = pipeline.steps[-1][1].calibrated_classifiers_[0].calibrators[0]
    calibrator.y_thresholds_ = calibrator.y_thresholds_[:1]
    with pytest.raises(ValueError, match="X_thresholds_ has another size"):
        check_parts(pipeline)


def archive(content: bytes, name: str = "1.npy", how: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", how) as file:
        file.writestr("schema.json", json.dumps({"protocol": 2}))
        file.writestr(name, content)
    return target.getvalue()


def npy(header: str) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(64)


def compressed_zeros() -> bytes:
    return archive(bytes(10**8), how=zipfile.ZIP_DEFLATED)


def too_large_an_array() -> bytes:
    return archive(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,)}"))


def array_of_objects() -> bytes:
    return archive(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"))


def archive_in_an_archive() -> bytes:
    return archive(archive(bytes(2**29), "a.npy", zipfile.ZIP_DEFLATED), "1.npz")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (compressed_zeros, "its members are compressed"),
        (too_large_an_array, "1.npy claims 8,796,093,022,208 bytes, and has 192"),
        (array_of_objects, "1.npy claims 8 bytes"),
        (archive_in_an_archive, "its members would take 536,870,"),
    ],
)
def test_archives_that_would_grow_are_refused(data: Callable[[], bytes], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        open_file(data())
    assert message in str(caught.value)


TEXT: str = usual("lightgbm_from_parts").pipeline.steps[-1][1].text_


def replaced(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


def line_of(field: str) -> str:
    return next(line for line in TEXT.splitlines() if line.startswith(f"{field}="))


CHANGES = {
    "left_child": ("99999", "left_child leads outside the tree"),
    "right_child": ("0", "right_child leads outside the tree"),
    "split_feature": ("77", "split_feature is not below 7"),
    "cat_boundaries": ("5", "cat_boundaries"),
    "num_leaves": (None, "numbers, not"),
    "num_cat": (None, "sets of categories"),
    "tree_sizes": ("7", "tree_sizes does not match"),
    "max_feature_idx": (None, "does not list 1000 features"),
}


@pytest.mark.parametrize("field", CHANGES)
def test_texts_of_lightgbm_that_lead_outside_are_refused(field: str) -> None:
    check_text(TEXT)
    first, message = CHANGES[field]
    line = line_of(field)
    values = line.partition("=")[2].split()
    new = "999" if first is None else " ".join([first, *values[1:]])
    text = replaced(line, f"{field}={new}")
    if field not in ("tree_sizes", "max_feature_idx"):  # The size of the tree is right.
        first_size, *others = line_of("tree_sizes").partition("=")[2].split()
        size = int(first_size) + len(new) - len(" ".join(values))
        text = text.replace(line_of("tree_sizes"), f"tree_sizes={' '.join([str(size), *others])}")
    with pytest.raises(ValueError, match=message):
        check_text(text)


def test_categories_of_a_split_that_do_not_exist_are_refused() -> None:
    kinds = [int(kind) & 1 for kind in line_of("decision_type").partition("=")[2].split()]
    thresholds = line_of("threshold").partition("=")[2].split()
    place = kinds.index(1)
    thresholds[place] = "9".ljust(len(thresholds[place]), "9")
    with pytest.raises(ValueError, match="threshold is not below"):
        check_text(replaced(line_of("threshold"), f"threshold={' '.join(thresholds)}"))


@pytest.mark.parametrize("name", ["lightgbm", "lightgbm_from_parts"])
def test_a_file_with_a_changed_text_is_refused(name: str, tmp_path: Path) -> None:
    data = as_skops(usual(name).pipeline)
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w") as changed:
        for entry in source.namelist():
            content = source.read(entry)
            if entry == "schema.json":
                assert b"split_feature=" in content
                content = content.replace(b"split_feature=", b"split_feature=9")
            changed.writestr(entry, content)
    with pytest.raises(ModelError, match=r"model\.skops cannot be opened"):
        open_file(target.getvalue())


def test_lightgbm_of_a_file_predicts_the_same() -> None:
    model = usual("lightgbm").pipeline
    kept = open_file(as_skops(model))
    assert isinstance(kept.steps[-1][1].booster_, lightgbm.Booster)
    text = model.steps[-1][1].booster_.model_to_string()
    assert kept.steps[-1][1].booster_.model_to_string() == text


def test_parts_of_lightgbm_without_a_model_are_refused() -> None:
    with pytest.raises(ValueError, match="not a model in LightGBM's text form"):
        LGBMFromParts().__setstate__({**LGBMFromParts().__getstate__(), "text_": "evil"})
