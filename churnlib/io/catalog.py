"""The catalog: the names of a game's datasets, and their places in the data folder."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Literal, get_args

from churnlib.argument_checks import check_type
from churnlib.errors import DataError, ModelError, error_prefix
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.local import IN_USE, REPORTS
from churnlib.io.raw_files import find_raw
from churnlib.io.storage import check_reachable, exists, is_folder, is_within
from churnlib.months import first_day, last_day
from churnlib.uris import folder_of, is_pattern, is_remote, join, name_of

VERSION_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"
"""The names that a model version may have, which are names of folders."""
MODEL_IN_USE = "model_in_use"
"""The name of the dataset that is a model in use."""
_DATED = re.compile(r"(^|/)\d{8}T\d{9}Z(/|$)|_\d{4}-\d{2}\.")

ReportName = Literal["in_sample_report", "score_report"]
FeatureTableName = Literal["train", "score", "in_use"]


@dataclass(frozen=True, slots=True)
class Catalog:
    """The datasets of one game. No other module computes a path in the data folder.

    Attributes:
        data_dir: The data folder, or its URI in an object store.
        game: The game's name, which is the name of its folder in each layer.
    """

    data_dir: str
    game: str

    def __post_init__(self) -> None:
        check_type(self.data_dir, str, "Catalog: data_dir")
        check_type(self.game, str, "Catalog: game")

    def check_data_dir(self) -> None:
        """Checks that the data folder exists or its object store answers, so that runs fail early.

        Raises:
            DataError: There is no such folder.
            StoreError: See `churnlib.io.storage.check_reachable`.
        """
        if is_pattern(self.data_dir):
            raise DataError(
                f"{self.game}: the data folder {self.data_dir} has * in its name, which stands for "
                "any text in the names of files. Name another with --data-dir."
            )
        if is_remote(self.data_dir):
            with error_prefix(self.game):
                check_reachable(self.data_dir)
        elif not is_folder(self.data_dir):
            found = f"there is no data folder {self.data_dir}. Create it, or name another"
            if exists(self.data_dir):
                found = f"the data folder {self.data_dir} is a file. Name a folder"
            raise DataError(f"{self.game}: {found} with --data-dir.")

    @property
    def raw_folder(self) -> str:
        """The game's folder of raw tables."""
        return join(self.data_dir, "01_raw", self.game)

    def raw(self, table: str, path: str | None = None, digest: str | None = None) -> Dataset:
        """Finds a raw table: a file, a folder of parts, or the files that match a pattern.

        Args:
            table: Its name; see `churnlib.schemas.raw_tables`.
            path: Where the settings say that it is; see `churnlib.io.raw_files.find_raw`.
            digest: The fingerprint of the content to prefer, if earlier ones are kept.

        Raises:
            DataError: There is none, or there are two.
        """
        found = find_raw(self.raw_folder, self.game, table, path, digest)
        return Dataset(table, self.game, found)

    def checked(self, table: str) -> Dataset:
        """A raw table after validation: typed, sorted by key."""
        return self._place(table, "02_intermediate", f"{table}.parquet")

    def rejected(self, table: str) -> Dataset:
        """The quarantined rows of a raw table."""
        return self._place(f"{table}_rejected", "02_intermediate", f"{table}_rejected.parquet")

    def standard_features(self) -> Dataset:
        """The features that need no activity, and the day on which each subscription churned."""
        return self._place("standard_features", "03_primary", "standard_features.parquet")

    def standard_sources(self) -> Dataset:
        """The raw tables that the standard features were built from, with their fingerprints."""
        return self._place(
            "standard_features_sources", "03_primary", "standard_features_sources.json"
        )

    def features(self, flow: FeatureTableName) -> Dataset:
        """The features and labels of the rows of a flow's window, or of all known labels."""
        return self._place(f"{flow}_features", "04_feature", f"{flow}_features.parquet")

    def contacts(self) -> Dataset:
        """Whom earlier batches contacted, and whom they held out."""
        return self._place("contacts", "04_feature", "contacts.parquet")

    def predict_features(self, window_start: date) -> Dataset:
        """The features of a batch, which has no labels yet."""
        month = month_name(window_start)
        return self._place("predict_features", "05_model_input", f"predict_{month}.parquet")

    def models(self) -> Dataset:
        """The folder with a folder for each model version, and the pointer to the champion."""
        return self._place("models", "06_models", "")

    def model(self, version: str) -> Dataset:
        """The folder of one model version.

        Raises:
            ModelError: It is not the name of a version, as one that leads to another folder.
        """
        check_version_name(version, self.game)
        return self._place("model", "06_models", version)

    def model_in_use(self, version: str, name: str) -> Dataset:
        """The folder of a model in use of a version: refitted on all labels known by a day.

        Raises:
            ModelError: One is not such a name.
        """
        check_version_name(name, self.game)
        model = self.model(version)
        return Dataset(MODEL_IN_USE, self.game, join(model.uri, IN_USE, name))

    def models_in_use(self) -> Dataset:
        """The manifests of the models that predict batches, each in the folder of its version."""
        return self._place(MODEL_IN_USE, "06_models", join("*", IN_USE, "*", "manifest.json"))

    def champion(self) -> Dataset:
        """The file that names the champion, the model version in use."""
        return self._place("champion", "06_models", "champion.json")

    def registry(self) -> Dataset:
        """The file with the state and history of all model versions."""
        return self._place("registry", "06_models", "registry.json")

    def predictions(self, window_start: date) -> Dataset:
        """The predictions for a batch."""
        month = month_name(window_start)
        return self._place("predictions", "07_model_output", f"predictions_{month}.parquet")

    def report(self, name: ReportName) -> Dataset:
        """A report's JSON file; the other formats are beside it."""
        return self._place(name, "08_reporting", f"{name}.json")

    def version_report(self, version: str, file: str) -> Dataset:
        """A file of the reports on one model version, which later versions do not replace."""
        check_version_name(version, self.game)
        return self._place("version_report", "06_models", f"{version}/{REPORTS}{file}")

    def batch_report(self, window_start: date) -> Dataset:
        """The JSON file of the report on a batch; the other formats are beside it."""
        file = f"batch_score_report_{month_name(window_start)}.json"
        return self._place("batch_score_report", "08_reporting", file)

    def batch_list(self, window_start: date) -> Dataset:
        """The JSON file of the riskiest subscriptions of a batch; the other formats are beside."""
        file = f"batch_list_{month_name(window_start)}.json"
        return self._place("batch_list", "08_reporting", file)

    @property
    def current_run(self) -> str:
        """Where the run that writes to the game's data names itself, and which it locks."""
        return join(self.data_dir, "02_intermediate", self.game, "run.json")

    @property
    def written_folders(self) -> dict[str, str]:
        """The game's folders of what flows write, by layer: all but that of the raw tables."""
        layers = [layer for layer in LAYERS if layer != "01_raw"]
        return {layer: join(self.data_dir, layer, self.game) for layer in layers}

    def is_inside(self, uri: str) -> bool:
        """Whether a place in the data folder is not behind a link that leads out of its layer.

        What is behind one may belong to others, so nothing may be removed there. A layer itself may
        be a link, for example to another disk.

        Args:
            uri: A file or folder in one of the layers.
        """
        layer = uri.removeprefix(self.data_dir).strip("/").partition("/")[0]
        return is_within(folder_of(uri), join(self.data_dir, layer))

    def places(self, tables: Iterable[str], month: date) -> Iterator[tuple[Dataset, str]]:
        """Yields the places of all datasets except raw files and single model versions.

        Args:
            tables: The names of the game's raw tables.
            month: The month of the batch.

        Yields:
            A place, and its description.
        """
        values = {"table": tuple(tables), "window_start": (month,)}
        for name, method in inspect.getmembers(Catalog, inspect.isfunction):
            signature = inspect.signature(method)
            if signature.return_annotation is Dataset and name != "raw":
                _, *parameters = signature.parameters.values()
                choices = [values.get(p.name) or get_args(p.annotation) for p in parameters]
                for arguments in product(*choices):
                    yield method(self, *arguments), method.__doc__ or ""

    def _place(self, name: str, layer: str, file: str) -> Dataset:
        return Dataset(name, self.game, join(self.data_dir, layer, self.game, file))


def check_version_name(version: str, game: str) -> None:
    """Checks that a name is that of a model version.

    Raises:
        ModelError: It is not.
    """
    if not is_version_name(version):
        raise ModelError(
            f"{game}: {version[:200]!r} cannot be the name of a model version, which has only "
            "letters, digits, '.', '-' and '_'. The command `models` lists the versions."
        )


def is_version_name(version: str) -> bool:
    """Whether a text can be the name of a model version.

    >>> is_version_name("20250131T120005250Z"), is_version_name("../v1"), is_version_name("/tmp")
    (True, False, False)
    """
    return re.fullmatch(VERSION_PATTERN, version) is not None


def part_of(whole: Dataset, run: str, number: int) -> Dataset:
    """The rows of one bucket of a dataset, until all buckets are joined.

    Args:
        whole: The dataset that the part belongs to.
        run: Identifies the run that writes it.
        number: The bucket.

    >>> part_of(Catalog("s3://bucket", "hawk").features("train"), "6e0f", 12).uri
    's3://bucket/02_intermediate/hawk/parts/train_features.parquet.6e0f.0012.arrow'
    """
    folder = join(data_dir_of(whole.uri, whole.game) or folder_of(whole.uri), "02_intermediate")
    file = f"{name_of(whole.uri)}.{run}.{number:04}.arrow"
    return Dataset(f"{whole.name}_part", whole.game, join(folder, whole.game, "parts", file))


def catalog_of(dataset: Dataset | DatasetRef) -> Catalog:
    """Returns the catalog that a dataset belongs to.

    Raises:
        LookupError: The dataset is not in a data folder.

    >>> catalog_of(Catalog("s3://bucket", "hawk").champion())
    Catalog(data_dir='s3://bucket', game='hawk')
    """
    folder = data_dir_of(dataset.uri, dataset.game)
    if folder is None:
        raise LookupError(f"{dataset.uri} is not in a data folder.")
    return Catalog(folder, dataset.game)


def data_dir_of(uri: str, game: str) -> str | None:
    """Returns the data folder that contains a game's file; None if there is none."""
    while (parent := folder_of(uri)) != uri:
        if name_of(uri) == game and name_of(parent) in LAYERS:
            return folder_of(parent)
        uri = parent
    return None


def month_name(day: date) -> str:
    """Formats the month of a day as in file names.

    >>> month_name(date(2024, 7, 1))
    '2024-07'
    """
    return f"{day:%Y-%m}"


def batch_name(first: date, last: date) -> str:
    """Names a batch for people: by its first month, as its files, and its days if it has others.

    Args:
        first: The first start of its subscriptions.
        last: The last start.

    >>> batch_name(date(2024, 7, 1), date(2024, 7, 31))
    '2024-07'
    >>> batch_name(date(2024, 7, 1), date(2024, 8, 31))
    '2024-07 (2024-07-01 to 2024-08-31)'
    """
    month = month_name(first)
    is_month = (first, last) == (first_day(first), last_day(first))
    return month if is_month else f"{month} ({first} to {last})"


def time_order(name: str) -> tuple[bool, str]:
    """A key that sorts outputs by the time in their names, because copies have other file times.

    It is the month of a batch, or the time of a model's training. Other names come first.

    Args:
        name: The name or path of a file, or of a model's folder or a file in it.

    >>> sorted(["predictions_2024-12.parquet", "predictions_old.parquet"], key=time_order)
    ['predictions_old.parquet', 'predictions_2024-12.parquet']
    """
    return bool(_DATED.search(name)), name


LAYERS: Mapping[str, str] = {
    "01_raw": "raw tables as delivered",
    "02_intermediate": "raw tables after validation: typed, sorted by char_id",
    "03_primary": "the small feature store: standard features",
    "04_feature": "features and labels of the training and scoring windows",
    "05_model_input": "features of the batches to predict",
    "06_models": "model versions, the pointer to the champion, and the registry",
    "07_model_output": "predictions",
    "08_reporting": "reports",
}
"""The layers of the data folder; each has a folder for each game."""
