"""The catalog: what the data of a game are called and where they lie under the data folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from churnlib.errors import DataError
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.io.storage import exists
from churnlib.uris import folder_of, join, name_of

RAW_SUFFIXES = (".parquet", ".csv")

ReportName = Literal["in_sample_report", "score_report", "batch_score_report"]


@dataclass(frozen=True, slots=True)
class Catalog:
    """The datasets of one game; every path of the project is computed here and nowhere else.

    Attributes:
        data_dir: The root of the data tree: a folder, or the URI of one in an object store.
        game: The game's name, a folder's name at each level.
    """

    data_dir: str
    game: str

    def raw(self, table: str) -> Dataset:
        """Finds a raw table, CSV or Parquet, told by the suffix.

        Args:
            table: Its name; see `churnlib.schemas.raw_tables`.

        Raises:
            DataError: There is no such file, or there are two.
        """
        folder = join(self.data_dir, "01_raw", self.game)
        names = [f"{table}{suffix}" for suffix in RAW_SUFFIXES]
        found = [name for name in names if exists(join(folder, name))]
        if not found:
            raise DataError(
                f"{self.game}: the raw table {table} is missing: neither {table}.parquet nor "
                f"{table}.csv is in {folder}. Put the file there, or name another data folder "
                "with --data-dir."
            )
        if len(found) > 1:
            raise DataError(
                f"{self.game}: the raw table {table} is there twice, as {found[0]} and {found[1]} "
                f"in {folder}. Remove the one that is not meant."
            )
        return Dataset(table, self.game, join(folder, found[0]))

    def checked(self, table: str) -> Dataset:
        """A raw table after its checks: typed, sorted by key."""
        return self._place(table, "02_intermediate", f"{table}.parquet")

    def rejected(self, table: str) -> Dataset:
        """The rows of a raw table that were set apart as faulty."""
        return self._place(f"{table}_rejected", "02_intermediate", f"{table}_rejected.parquet")

    def standard_features(self) -> Dataset:
        """All features but currency, and the day on which each subscription churned."""
        return self._place("standard_features", "03_primary", "standard_features.parquet")

    def standard_sources(self) -> Dataset:
        """What is known of the raw tables that the standard features were built from."""
        return self._place(
            "standard_features_sources", "03_primary", "standard_features_sources.json"
        )

    def features(self, flow: Literal["train", "score"]) -> Dataset:
        """The features and labels of the subscriptions in the window of `flow`."""
        return self._place(f"{flow}_features", "04_feature", f"{flow}_features.parquet")

    def predict_features(self, window_start: date) -> Dataset:
        """The features of a batch, without labels."""
        month = month_name(window_start)
        return self._place("predict_features", "05_model_input", f"predict_{month}.parquet")

    def models(self) -> Dataset:
        """The folder that holds a folder per model version, and the champion's pointer."""
        return self._place("models", "06_models", "")

    def model(self, version: str) -> Dataset:
        """The folder of one model version."""
        return self._place("model", "06_models", version)

    def champion(self) -> Dataset:
        """The pointer to the model version in use."""
        return self._place("champion", "06_models", "champion.json")

    def registry(self) -> Dataset:
        """Which version is the candidate, and what became of the others."""
        return self._place("registry", "06_models", "registry.json")

    def predictions(self, window_start: date) -> Dataset:
        """The churn probabilities of a batch."""
        month = month_name(window_start)
        return self._place("predictions", "07_model_output", f"predictions_{month}.parquet")

    def report(self, name: ReportName, window_start: date | None = None) -> Dataset:
        """A report, named by its JSON file; the other formats lie beside it.

        Args:
            name: Which report.
            window_start: The start of the batch, for the reports that there are one a month of.
        """
        file = name if window_start is None else f"{name}_{month_name(window_start)}"
        return self._place(name, "08_reporting", f"{file}.json")

    def _place(self, name: str, layer: str, file: str) -> Dataset:
        return Dataset(name, self.game, join(self.data_dir, layer, self.game, file))


def part_of(whole: Dataset, making: str, number: int) -> Dataset:
    """The rows of one bucket of a dataset, until they are joined to those of the others.

    Args:
        whole: What they become a part of; it lies in a data folder as the catalog has it.
        making: What tells this making of it from others.
        number: Which bucket.

    >>> part_of(Catalog("s3://bucket", "hawk").features("train"), "6e0f", 12).uri
    's3://bucket/02_intermediate/hawk/parts/train_features.parquet.6e0f.0012.arrow'
    """
    folder = join(data_dir_of(whole.uri, whole.game) or folder_of(whole.uri), "02_intermediate")
    file = f"{name_of(whole.uri)}.{making}.{number:04}.arrow"
    return Dataset(f"{whole.name}_part", whole.game, join(folder, whole.game, "parts", file))


def catalog_of(place: Dataset | DatasetRef) -> Catalog:
    """The catalog that a dataset is of.

    Raises:
        LookupError: It lies in no data folder as the catalog has it.

    >>> catalog_of(Catalog("s3://bucket", "hawk").champion())
    Catalog(data_dir='s3://bucket', game='hawk')
    """
    folder = data_dir_of(place.uri, place.game)
    if folder is None:
        raise LookupError(f"{place.uri} lies in no data folder.")
    return Catalog(folder, place.game)


def data_dir_of(uri: str, game: str) -> str | None:
    """The data folder that a place lies in; None where it lies in none as the catalog has it."""
    while (above := folder_of(uri)) != uri:
        if name_of(uri) == game and name_of(above) in LAYERS:
            return folder_of(above)
        uri = above
    return None


def month_name(day: date) -> str:
    """Writes the month of a day as file names carry it.

    >>> month_name(date(2024, 7, 1))
    '2024-07'
    """
    return f"{day:%Y-%m}"


LAYERS: Mapping[str, str] = {
    "01_raw": "raw tables, as they came",
    "02_intermediate": "raw tables after their checks: typed, sorted by key",
    "03_primary": "the small feature store: standard features",
    "04_feature": "features and labels of the training and scoring windows",
    "05_model_input": "features of the batches to predict",
    "06_models": "model versions, the champion's pointer, and the registry",
    "07_model_output": "predictions",
    "08_reporting": "reports",
}
"""The folders under the data folder, each with a folder per game."""
