"""What a run removes when it starts."""

import logging
import os
import threading
import time
from pathlib import Path

import pytest

from churnlib.io import storage
from churnlib.io.catalog import LAYERS, Catalog
from churnlib.io.temporary import ABANDONED_AFTER, PREFIX, temporary_name
from churnlib.settings import RetentionSettings, Settings, load_settings
from churnlib.uris import join
from churnlib.versions.champion import set_champion
from churnlib.versions.folder import new_version
from churnlib.versions.manifest import MANIFEST
from flows.engine import tidying
from flows.engine.prefect_home import prefect_home
from flows.engine.result_files import result_folder
from flows.engine.results import SERIALIZER
from flows.engine.run_lock import exclusive_run
from flows.engine.tidying import tidy

GAME = "game1"


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """A data folder, beside empty folders for scratch and for results."""
    results = tmp_path / "results"
    results.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(tidying, "result_folder", lambda: str(results))
    monkeypatch.setattr("flows.engine.result_files.result_folder", lambda: str(results))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    return Catalog(str(tmp_path / "data"), GAME)


def settings_of(catalog: Catalog, **retention: int | None) -> Settings:
    given = {f"retention.{name}": value for name, value in retention.items()}
    return load_settings(GAME, {"data_dir": catalog.data_dir, **given}, environ={}, local=False)


def files(catalog: Catalog) -> list[str]:
    return [entry.name for entry in storage.list_files(catalog.data_dir)]


def make_old(path: str | Path, days: float = 1.1) -> None:
    then = time.time() - days * 24 * 3600
    os.utime(path, (then, then))


@pytest.mark.parametrize("store", ["folder", "bucket"])
def test_leftovers_in_the_folders_of_the_game_are_removed(
    store: str,
    catalog: Catalog,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if store == "bucket":
        catalog = Catalog(request.getfixturevalue("bucket") + "/data", GAME)
    kept, left = [], []
    for layer in LAYERS:
        folder = join(catalog.data_dir, layer, GAME)
        kept.append(join(folder, "a.parquet"))
        left.append(join(folder, temporary_name("a.parquet")))
        left.append(join(folder, temporary_name("aside"), "a.parquet"))
        kept.append(join(catalog.data_dir, layer, "game2", temporary_name("b.parquet")))
    left.append(join(catalog.data_dir, "02_intermediate", GAME, "parts", "x.6e0f.0001.arrow"))
    for uri in (*kept, *left):
        storage.write_text("x", uri)
    with caplog.at_level(logging.INFO, "flows"):
        tidy(settings_of(catalog), catalog)
    expected = [uri for uri in left if "01_raw" not in uri]
    assert not any(storage.exists(uri) for uri in expected)
    assert all(storage.exists(uri) for uri in {*kept, *left} - {*expected})
    (message,) = caplog.messages
    assert message.startswith("game1: removed what stopped runs had left: ")
    assert (
        f"3 in {join(catalog.data_dir, '02_intermediate', GAME)}" in message or "parts" in message
    )


def test_nothing_to_remove_is_not_mentioned(
    catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    storage.write_text("x", catalog.features("train").uri)
    with caplog.at_level(logging.INFO, "flows"):
        tidy(settings_of(catalog), catalog)
    assert caplog.messages == []
    assert files(catalog) == ["04_feature/game1/train_features.parquet"]


def test_models_whose_upload_was_cut_off_are_removed_unless_they_are_known(
    catalog: Catalog,
) -> None:
    from datetime import UTC, datetime

    whole, half, known = (
        new_version(datetime(2025, 1, 31, hour, tzinfo=UTC)) for hour in (1, 2, 3)
    )
    for uri in (
        join(catalog.model(whole).uri, MANIFEST),
        join(catalog.model_in_use(whole, whole).uri, MANIFEST),
        join(catalog.model_in_use(whole, half).uri, "model.skops"),
        join(catalog.model(half).uri, "model.skops"),
        join(catalog.model(known).uri, "model.skops"),
        join(catalog.models().uri, "notes", "a.txt"),
    ):
        storage.write_text("x", uri)
    set_champion(catalog, known)
    tidy(settings_of(catalog), catalog)
    assert files(catalog) == [
        f"06_models/game1/{whole}/in_use/{whole}/{MANIFEST}",
        f"06_models/game1/{whole}/{MANIFEST}",
        f"06_models/game1/{known}/model.skops",
        "06_models/game1/champion.json",
        "06_models/game1/notes/a.txt",
    ]


def test_models_are_swept_only_while_nobody_changes_the_registry(catalog: Catalog) -> None:
    writing = join(catalog.models().uri, temporary_name("champion.json"), "champion.json")
    swept = threading.Event()

    def sweep() -> None:
        tidy(settings_of(catalog), catalog)
        swept.set()

    with storage.exclusive_lock(catalog.registry().uri):
        storage.write_text("x", writing)
        other = threading.Thread(target=sweep)
        other.start()
        assert not swept.wait(0.3)
        assert storage.exists(writing)
    other.join(30)
    assert not storage.exists(writing)


def test_folders_that_runs_share_are_swept_after_a_day(catalog: Catalog, tmp_path: Path) -> None:
    shared = [
        prefect_home(),
        Path(catalog.data_dir).with_name("results"),
        Path(catalog.data_dir, "08_reporting"),
        tmp_path,  # The temporary folder.
    ]
    names = [temporary_name("a") for _ in shared[:-1]] + [f"{PREFIX}a"]
    for folder, name in zip(shared, names, strict=True):
        (folder / name).mkdir(parents=True)
    tidy(settings_of(catalog), catalog)
    left = [folder / name for folder, name in zip(shared, names, strict=True)]
    assert all(path.exists() for path in left)
    for path in left:
        make_old(path)
    tidy(settings_of(catalog), catalog)
    assert not any(path.exists() for path in left)
    assert ABANDONED_AFTER < 1.1 * 24 * 3600


def test_only_features_of_the_newest_batches_are_kept(
    catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    folder = join(catalog.data_dir, "05_model_input", GAME)
    months = ["2023-11", "2023-12", "2024-01", "2024-02"]
    for name in (*(f"predict_{month}.parquet" for month in months), "notes.txt"):
        storage.write_text("x", join(folder, name))
    for month in months:
        storage.write_text(
            "x", join(catalog.data_dir, "07_model_output", GAME, f"predictions_{month}.parquet")
        )
    tidy(settings_of(catalog, batch_features=None), catalog)
    assert len(files(catalog)) == 9
    with caplog.at_level(logging.INFO, "flows"):
        tidy(settings_of(catalog, batch_features=3), catalog)
    assert storage.list_names(folder) == [
        "notes.txt",
        *(f"predict_{month}.parquet" for month in months[1:]),
    ]
    assert len(storage.list_names(join(catalog.data_dir, "07_model_output", GAME))) == 4
    assert caplog.messages == [
        "game1: removed the features of all batches before the newest 3: predict_2023-11.parquet"
    ]


def test_results_are_removed_after_their_last_use(catalog: Catalog) -> None:
    folder = Path(catalog.data_dir).with_name("results")
    ours = json_of_a_result()
    for name, text in (("old", ours), ("new", ours), ("others", '{"serializer": "json"}')):
        (folder / name).write_text(text)
        make_old(folder / name, 5 if name == "new" else 11)
    tidy(settings_of(catalog, results_days=None), catalog)
    assert len(list(folder.iterdir())) == 3
    tidy(settings_of(catalog, results_days=10), catalog)
    assert {path.name for path in folder.iterdir()} == {"new", "others"}


def json_of_a_result() -> str:
    return f'{{"format": "{SERIALIZER}", "kept": "null"}}'


def test_run_tidies_up_once_while_it_holds_the_lock(catalog: Catalog) -> None:
    held = []

    def start() -> None:
        held.append(Path(catalog.current_run).exists())

    with exclusive_run(catalog, start), exclusive_run(catalog, start):
        pass
    assert held == [True]


def test_defaults_keep_everything_for_months() -> None:
    defaults = RetentionSettings()
    assert defaults.results_days is not None
    assert defaults.results_days >= 90
    assert defaults.batch_features is not None
    assert defaults.batch_features >= 24


def test_results_lie_where_prefect_is_told() -> None:
    assert result_folder() == os.environ["PREFECT_RESULTS_LOCAL_STORAGE_PATH"]


LINKED = (
    f"02_intermediate/{GAME}/parts",
    f"02_intermediate/{GAME}",
    f"06_models/{GAME}/v1",
    f"05_model_input/{GAME}",
    f"01_raw/{GAME}/_snapshots/logins",
    f"01_raw/{GAME}/_snapshots",
)


@pytest.mark.parametrize("link", LINKED)
def test_nothing_is_removed_behind_a_link(
    link: str, catalog: Catalog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever may write to the data folder could have the folders of others emptied."""
    others, path = tmp_path / "others", Path(catalog.data_dir, link)
    snapshot = f"20250131T12000{{}}000Z-{'0' * 16}.parquet"
    names = [temporary_name("a.parquet"), *(f"predict_2024-0{n}.parquet" for n in (1, 2))]
    names += ["parts/own.txt", "own.txt", *map(snapshot.format, range(2))]
    names += [f"logins/{snapshot.format(n)}" for n in range(2)]
    for name in names:
        storage.write_text("x", others / name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(others)
    with caplog.at_level(logging.INFO, "flows"):
        tidy(settings_of(catalog, batch_features=1, snapshots=1), catalog)
    assert {entry.name for entry in storage.list_files(str(others))} == set(names)
    assert caplog.messages == []


def test_layer_may_be_a_link_to_another_disk(catalog: Catalog, tmp_path: Path) -> None:
    disk, layer = tmp_path / "disk", Path(catalog.data_dir, "02_intermediate")
    left = disk / GAME / "parts" / "x.6e0f.0001.arrow"
    storage.write_text("x", left)
    layer.parent.mkdir(parents=True)
    layer.symlink_to(disk)
    tidy(settings_of(catalog), catalog)
    assert not left.exists()
