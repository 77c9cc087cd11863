"""The flow `replay`: rebuilds a model version, and compares the predictions."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("replay")

from functools import partial

from churnlib.errors import error_prefix
from churnlib.io.catalog import Catalog
from churnlib.model.predict import predict
from churnlib.settings import load_settings
from churnlib.versions.champion import champion
from churnlib.versions.folder import find_version, open_model, read_golden
from churnlib.versions.manifest import read_manifest
from churnlib.versions.replay import Replay, compare_replay, describe_replay
from flows.engine.cache import run_logger
from flows.engine.scratch import scratch_folder
from flows.steps.flow import ChurnFlow
from flows.steps.parameters import Game
from flows.steps.rebuild import rebuild_version
from flows.task import refreshing


@partial(ChurnFlow, flow_run_name="{game}", persist_result=False)
def replay(game: Game, version: str | None = None, data_dir: str | None = None) -> Replay:
    """Rebuilds a model version from its manifest, and checks that its predictions are identical.

    Args:
        game: The game, the name of its file under games/.
        version: The model version. The champion if empty.
        data_dir: The data folder, or the URI of one in an object store, such as s3://bucket/data;
            the one in the settings if empty.
    """
    settings = load_settings(game, {} if data_dir is None else {"data_dir": data_dir})
    catalog = Catalog(settings.data_dir, game)
    model = champion(catalog) if version is None else find_version(catalog, version)
    manifest = read_manifest(model)
    golden = read_golden(model, manifest)
    with (
        scratch_folder(settings.engine) as folder,
        refreshing(),
    ):
        rebuilt = rebuild_version(manifest, catalog.data_dir, str(folder), settings.engine)
        now = read_manifest(rebuilt)
        loaded = open_model(rebuilt, now, allow_joblib=True)  # Safe: this process has written it.
        with error_prefix(game):
            predicted = predict(loaded, golden)
        result = compare_replay(manifest, now, golden, predicted)
    run_logger().info("\n%s", "\n".join(describe_replay(result)))
    return result
