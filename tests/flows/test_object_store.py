"""Every flow on a data folder in an object store: a server that speaks S3, on this machine."""

import hashlib
import io
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.errors import StoreError
from churnlib.io import object_store, storage
from churnlib.io.catalog import Catalog
from churnlib.versions.champion import champion
from churnlib.versions.folder import list_versions, load_model
from flows.cli.main import main
from flows.map.write import PAGE
from tests.flows.studio import BATCH_DAY, FAST, Studio, bits, is_refusal, python
from tests.store_server import StoreServer

pytestmark = pytest.mark.slow

GAME = "game1"
VERSION = re.compile(r"\d{8}T\d{9}Z")
VERSIONED = (".skops", "manifest.json", "champion.json", "registry.json")
"""Suffixes of files that depend on the time of training."""
PREDICTIONS = re.compile(
    r"(?<=predictions)(?:\"?: [^\n{}]*?|[^{}]{0,20}(?:{[^{}]*|</th>[^{}]*?))"
    r"\b(?:[0-9a-f]{52})?[0-9a-f]{12}\b"
)
"""Their fingerprints in reports, which depend on the model's version."""
SPAN = ("--from", "2024-05", "--to", "2024-06")


@dataclass(frozen=True)
class Shop:
    """A data folder in an object store, or on this machine.

    Attributes:
        uri: Where.
    """

    uri: str

    def arguments(self, *more: str) -> list[str]:
        settings = [f"--set={path}={value}" for path, value in FAST[GAME].items()]
        return ["--game", GAME, "--data-dir", self.uri, *settings, *more]

    def run(self, flow: str, *more: str) -> None:
        assert main([flow, *self.arguments(*more)]) == 0

    def take_through(self) -> None:
        """Runs every flow and every composite."""
        self.run("standard_features")
        self.run("train")
        self.run("score")
        self.run("train", "--from-raw")
        self.run("score", "--from-raw")
        self.run("batch_predict", "--as-of", BATCH_DAY)
        self.run("batch_score")
        self.run("batch_score", "--from-raw")
        self.run("backfill", "--flow", "batch_predict", *SPAN)
        self.run("backfill", "--flow", "batch_score", *SPAN)

    def outputs(self) -> dict[str, tuple[int, str]]:
        """When each output was written, and its fingerprint."""
        return {
            entry.name: (entry.written, storage.fingerprint(entry.uri))
            for entry in storage.list_files(self.uri)
            if not entry.name.startswith("01_raw")
        }

    def contents(self) -> dict[str, Any]:
        """The content of each output, without model versions and the places of raw tables."""
        return {
            VERSION.sub("VERSION", name): _content(name, storage.read_bytes(f"{self.uri}/{name}"))
            for name in self.outputs()
        }


def _content(name: str, content: bytes) -> Any:
    if name.endswith(VERSIONED):
        return None
    if name.startswith(("02", "03", "04", "05")) and name.endswith(".parquet"):
        return hashlib.sha256(content).hexdigest()
    if name.endswith(".parquet"):
        frame = pl.read_parquet(io.BytesIO(content))
        return bits(frame.drop("model_version", strict=False))
    text = VERSION.sub("VERSION", content.decode())
    text = PREDICTIONS.sub("", text)
    return re.sub(r'"source": "\w+"', "", text)


@pytest.fixture(scope="module")
def there(store_server: StoreServer, pristine: Path, prefect_server: Path) -> Iterator[Shop]:
    """A data folder in a bucket, with raw tables as others put them there, and features."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in store_server.environment().items():
            patch.setenv(name, value)
        uri = f"{store_server.make_bucket('flows')}/some folder"
        for table in (pristine / "01_raw" / GAME).glob("*.csv"):
            store_server.put(f"{uri}/01_raw/{GAME}/{table.name}", table.read_bytes())
        shop = Shop(uri)
        shop.run("standard_features")
        yield shop


@pytest.fixture(scope="module")
def complete_there(there: Shop) -> Shop:
    there.take_through()
    return there


@pytest.fixture
def log(there: Shop, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def written(log: str) -> set[str]:
    """The datasets that a run has put into the store, by the log."""
    return set(re.findall(r"(\w+): (?:[\d,]+ rows in )?[\d.]+ s -> s3://", log))


def test_a_second_run_in_an_object_store_is_taken_from_the_cache(
    there: Shop, log: pytest.LogCaptureFixture
) -> None:
    before = there.outputs()
    there.run("standard_features")
    assert written(log.text) == set()
    assert "unchanged, taken from the cache" in log.text
    assert there.outputs() == before


def test_a_bucket_that_is_missing_ends_a_run_before_it_starts(
    there: Shop, capsys: pytest.CaptureFixture[str], store_server: StoreServer
) -> None:
    status = main(["train", "--game", GAME, "--data-dir", "s3://nobody-s/data"])
    output = capsys.readouterr().err
    fault = f"game1: s3://nobody-s/data: there is no bucket 'nobody-s' at {store_server.url}. "
    assert is_refusal(f"exit {status}\n{output}", fault)


def test_the_overview_names_a_store_that_fails(
    there: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data-dir", "s3://nobody-s/data"]) == 2
    assert "game1: error: s3://nobody-s/data" in capsys.readouterr().out


def test_every_flow_writes_the_same_to_an_object_store_as_to_a_folder(
    complete_there: Shop, studio: Studio
) -> None:
    here = Shop(str(studio.data))
    here.take_through()
    assert complete_there.contents() == here.contents()
    models = [champion(Catalog(shop.uri, GAME)) for shop in (here, complete_there)]
    schemas = [load_model(model).schema for model in models]
    assert schemas[0] == schemas[1]
    assert models[0].fingerprint != models[1].fingerprint


def test_every_flow_is_taken_from_the_cache_in_an_object_store(
    complete_there: Shop, log: pytest.LogCaptureFixture
) -> None:
    before = complete_there.outputs()
    complete_there.take_through()
    assert written(log.text) == set()
    assert complete_there.outputs() == before


def test_a_changed_object_runs_again_what_depends_on_it(
    complete_there: Shop, store_server: StoreServer, log: pytest.LogCaptureFixture
) -> None:
    misses = f"{complete_there.uri}/01_raw/{GAME}/sub_miss.csv"
    whole = storage.read_bytes(misses)
    store_server.put(misses, whole[: whole.rstrip().rindex(b"\n") + 1])
    complete_there.run("standard_features")
    expected = {"sub_miss", "standard_features", "standard_features_sources"}
    assert expected - {"standard_features"} <= written(log.text) <= expected
    store_server.put(misses, whole)
    log.clear()
    complete_there.run("batch_predict", "--as-of", BATCH_DAY)
    assert written(log.text) == set()
    complete_there.run("standard_features")


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("standard_features.parquet", ()),
        ("scored_rows.parquet", ("--set=train.seed=9",)),  # The same model is not written again.
        (".html", ()),
    ],
)
def test_a_write_that_fails_leaves_earlier_outputs(
    name: str, more: tuple[str, ...], complete_there: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = object_store._upload

    def fail(uri: str, path: Path) -> None:
        if name in uri:
            raise StoreError(f"{uri}: the request to the store failed.")
        upload(uri, path)

    before = complete_there.contents()
    monkeypatch.setattr(object_store, "_upload", fail)
    assert main(["train", *complete_there.arguments("--from-raw", "--refresh", *more)]) == 2
    after = complete_there.contents()
    assert {name: after[name] for name in before} == before
    assert not [name for name in after if "tmp" in name]
    versions = {name.rpartition("/")[0] for name in after if name.endswith("rows.parquet")}
    assert all(f"{version}/manifest.json" in after for version in versions)
    load_model(champion(Catalog(complete_there.uri, GAME)))


def test_the_overview_lists_the_outputs_in_an_object_store(
    complete_there: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data-dir", complete_there.uri]) == 0
    output = capsys.readouterr().out.partition("game1: ")[2].partition("game2: ")[0]
    for name in ("standard_features.parquet", "predictions_2024-0", "score_report.json"):
        assert name in output
    assert VERSION.search(output)
    assert "nothing yet" not in output


def test_the_map_shows_the_state_of_an_object_store(complete_there: Shop, tmp_path: Path) -> None:
    assert main(["map", "--game", GAME, "--data-dir", complete_there.uri]) == 0
    page = storage.read_bytes(f"{complete_there.uri}/{PAGE}").decode()
    assert "unreadable" not in page
    assert complete_there.uri not in page
    written = champion(Catalog(complete_there.uri, GAME))
    assert written.uri.rpartition("/")[2] in page
    assert (
        main(
            ["map", "--game", GAME, "--data-dir", complete_there.uri, "--out", str(tmp_path / "x")]
        )
        == 0
    )
    assert f'"data": "{complete_there.uri}"' in (tmp_path / "x").read_text()
    storage.remove(f"{complete_there.uri}/{PAGE}")


def test_the_real_command_line_takes_the_store_from_the_environment(
    there: Shop, tmp_path: Path
) -> None:
    line = ["-m", "flows.train", *there.arguments("--from-raw", "--refresh")]
    done = python(*line, PREFECT_HOME=str(tmp_path / "home"))
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    catalog = Catalog(there.uri, GAME)
    model = catalog.model(list_versions(catalog)[0])
    assert model.uri in done.stderr
    load_model(model)
