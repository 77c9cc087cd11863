"""`python -m flows.replay`: makes a model version again, and tells whether it is the same."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("replay")

from dataclasses import dataclass
from datetime import date
from tempfile import TemporaryDirectory

from prefect import flow

from churnlib.errors import error_prefix
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import Dataset, DatasetRef
from churnlib.model.predict import predict
from churnlib.settings import EngineSettings, load_settings
from churnlib.versions.champion import champion
from churnlib.versions.folder import find_version, load_model, read_golden
from churnlib.versions.manifest import read_manifest
from churnlib.versions.replay import Replay, compare_replay, describe_replay, settings_from
from flows.engine.cache import run_logger
from flows.standard_features import build_features
from flows.steps.parameters import Game
from flows.steps.run import Run
from flows.steps.window_features import window_cohort
from flows.task import refreshing
from flows.train import fit_version


@dataclass(frozen=True, slots=True)
class Aside(Catalog):
    """A catalog of which the raw tables lie in another data folder.

    Attributes:
        raw_dir: That folder.
    """

    raw_dir: str

    def raw(self, table: str) -> Dataset:
        """Finds a raw table; see `Catalog.raw`."""
        return Catalog(self.raw_dir, self.game).raw(table)


@flow(flow_run_name="{game}", persist_result=False)
def replay(game: Game, version: str | None = None, data_dir: str | None = None) -> Replay:
    """Makes a model version again from its manifest, and tells whether it predicts the same.

    Args:
        game: The game, as its file under games/ is named.
        version: The model version. The champion if empty.
        data_dir: The data folder, or an object store's URI such as s3://bucket/data; that of the
            settings if empty.
    """
    settings = load_settings(game, {} if data_dir is None else {"data_dir": data_dir})
    catalog = Catalog(settings.data_dir, game)
    model = champion(catalog) if version is None else find_version(catalog, version)
    golden = read_golden(model)
    with (
        TemporaryDirectory(prefix="churn-replay-", dir=settings.engine.scratch_dir) as folder,
        refreshing(),
    ):
        again = make_again(model, catalog.data_dir, folder, settings.engine)
        loaded = load_model(again, allow_joblib=True)  # It was written a moment ago, here.
        with error_prefix(game):
            predicted = predict(loaded, golden)
        found = compare_replay(read_manifest(model), read_manifest(again), golden, predicted)
    run_logger().info("\n%s", "\n".join(describe_replay(found)))
    return found


def make_again(model: DatasetRef, raw_dir: str, folder: str, engine: EngineSettings) -> DatasetRef:
    """Makes a version again, by the tasks that made it.

    Args:
        model: The version.
        raw_dir: The data folder with the raw tables.
        folder: The data folder for all that is made of them.
        engine: How the work is done.
    """
    manifest = read_manifest(model)
    settings = settings_from(manifest, folder, engine)
    parameters = {"game": model.game, "as_of": None, "overrides": None, "data_dir": raw_dir}
    run = Run(
        settings=settings,
        catalog=Aside(folder, model.game, raw_dir),
        as_of=date.fromisoformat(manifest["as_of"]),
        parameters=parameters,
    )
    build_features(run)
    return fit_version(run, window_cohort(run, "train", *run.tables("history")))
