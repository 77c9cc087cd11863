"""The flow `replay`: rebuilds a model version, and compares the predictions."""

from flows import run_command

if __name__ == "__main__":  # Before the other imports, which would delay the first line.
    run_command("replay")

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import polars as pl

from churnlib.errors import error_prefix
from churnlib.io.catalog import Catalog
from churnlib.io.datasets import DatasetRef
from churnlib.model.predict import predict
from churnlib.settings import load_settings
from churnlib.versions.champion import champion
from churnlib.versions.folder import find_version, open_model, read_golden
from churnlib.versions.in_use import list_in_use
from churnlib.versions.manifest import read_manifest
from churnlib.versions.replay import Replay, compare_replay, describe_replay
from flows.engine.cache import run_logger
from flows.engine.scratch import scratch_folder
from flows.steps.flow import ChurnFlow
from flows.steps.parameters import Game
from flows.steps.rebuild import rebuild_in_use, rebuild_version
from flows.task import refreshing


@partial(ChurnFlow, flow_run_name="{game}", persist_result=False)
def replay(game: Game, version: str | None = None, data_dir: str | None = None) -> Replay:
    """Rebuilds a model version from its manifest, and checks that its predictions are identical.

    So is the newest of its models in use.

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
        place = (catalog.data_dir, str(folder), settings.engine)
        rebuilt = rebuild_version(manifest, *place)
        result = _compared(manifest, golden, rebuilt)
        for name in list_in_use(model)[:1]:
            in_use = catalog.model_in_use(manifest["version"], name)
            its = read_manifest(in_use)
            again = rebuild_in_use(its, rebuilt, *place)
            result = replace(result, in_use=_compared(its, read_golden(in_use, its), again))
    run_logger().info("\n%s", "\n".join(describe_replay(result)))
    return result


def _compared(then: Mapping[str, Any], golden: pl.DataFrame, rebuilt: DatasetRef) -> Replay:
    """Compares a model with the one that was fitted again from its manifest."""
    now = read_manifest(rebuilt)
    loaded = open_model(rebuilt, now, allow_joblib=True)  # Safe: this process has written it.
    with error_prefix(then["game"]):
        predicted = predict(loaded, golden)
    return compare_replay(then, now, golden, predicted)
