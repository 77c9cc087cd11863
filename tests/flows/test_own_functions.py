"""A game's own functions and tables: point-in-time, and what runs again when they change."""

import logging
import shutil
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churnlib.settings import load_settings
from flows.map.build import build_graph
from flows.replay import replay
from tests.flows.models import champion
from tests.flows.own_game import (
    FEATURES,
    FUNCTIONS,
    KNOWN_AFTER,
    OWN,
    TABLES,
    TIME,
    facts,
    games_folder,
    write_facts,
    write_own_game,
)
from tests.flows.studio import Say, Studio, bits, is_refusal, written

pytestmark = pytest.mark.slow  # The features and models of a game, many times.

MODEL = {"model", "in_sample_report", "registry"}
TRAIN = f"04_feature/{OWN}/train_features.parquet"
FILES = (TRAIN, f"04_feature/{OWN}/score_features.parquet")
LATER = 100
"""More days than any fact takes to be known."""


@pytest.fixture(scope="module")
def games(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of games, with the functions beside them."""
    folder = games_folder(tmp_path_factory.mktemp("own") / "games", **{OWN: TABLES + FEATURES})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHURN_GAMES_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def trained(prefect_server: Path, games: Path) -> Studio:
    """A data folder with a model and its back-test; each character has one subscription."""
    (games / "features.py").write_text(FUNCTIONS)
    data = games.parent / "data"
    write_own_game(data / "01_raw" / OWN)
    studio = Studio(data, data)
    keep_one_subscription_each(data / "01_raw" / OWN)
    build(studio)
    shutil.copytree(data, data.with_name("kept"))
    return studio


@pytest.fixture
def own(trained: Studio, games: Path) -> Studio:
    """The same for one test, with the functions and files as they were."""
    shutil.rmtree(trained.data)
    shutil.copytree(trained.data.with_name("kept"), trained.data)
    (games / "features.py").write_text(FUNCTIONS)
    (games / f"{OWN}.toml").write_text(TABLES + FEATURES)
    return trained


def keep_one_subscription_each(raw: Path) -> None:
    """Leaves out all but the last of each character, so that what follows it concerns no other."""
    files = sorted(raw.glob("memberships/*/*.parquet"))
    subs = pl.concat(pl.read_parquet(f, hive_partitioning=False) for f in files)
    last = subs.sort("sub_start_date", "member").unique("player", keep="last")["member"]
    for file in files:
        rows = pl.read_parquet(file, hive_partitioning=False)
        rows.filter(pl.col("member").is_in(last.implode())).write_parquet(file)
    misses = pl.read_csv(raw / "sub_miss.csv", infer_schema=False)
    misses.filter(pl.col("member").is_in(last.implode())).write_csv(raw / "sub_miss.csv")


def build(studio: Studio, **settings: Any) -> None:
    overrides = {path.replace("__", "."): value for path, value in settings.items()}
    studio.run("train_from_raw", OWN, overrides)
    studio.run("score_from_raw", OWN, overrides)


def tables(studio: Studio) -> Mapping[str, str]:
    return {file: bits(studio.table(file).drop("churned_on", "sub_churn")) for file in FILES}


def rewrite(studio: Studio, table: str, days: int, until: int = LATER * 365) -> int:
    """Gives other values, and more rows, to the facts from some days after each row's day on.

    Returns:
        The number of facts that have changed.
    """
    starts = pl.concat(studio.table(file).select("char_id", "sub_start_date") for file in FILES)
    rows, time = facts(studio, table).with_row_index(), pl.col(TIME[table])
    after = (time.cast(pl.Date) - pl.col("sub_start_date")).dt.total_days()
    mine = rows.join(starts, on="char_id").filter(after.is_between(days, until))["index"]
    is_later = pl.col("index").is_in(mine.implode())
    kind = {pl.Float64: pl.lit(987654.0), pl.String: pl.lit("mobile")}
    changed = rows.with_columns(
        pl.when(is_later).then(kind[type(dtype)]).otherwise(name).alias(name)
        for name, dtype in rows.schema.items()
        if name not in ("index", "char_id", TIME[table])
    )
    if table != "levels":  # Of histories there is one row a character and day.
        again = changed.filter(is_later)
        value = {"logins": "minutes", "purchases": "amount"}[table]
        changed = pl.concat([changed, again.with_columns(pl.col(value) + 1)])
    write_facts(studio, table, changed.drop("index"))
    return len(mine)


def test_facts_after_the_day_change_no_feature(own: Studio) -> None:
    before = tables(own)
    for table, known_after in KNOWN_AFTER.items():
        assert rewrite(own, table, 1 - known_after) > 1000
    build(own)
    after = tables(own)
    for file in FILES:
        assert after[file] == before[file], file


@pytest.mark.parametrize("table", KNOWN_AFTER)
def test_the_last_visible_fact_changes_features(own: Studio, table: str) -> None:
    """That the test above can fail, from the first fact that it does not change."""
    before, day = own.table(TRAIN), -KNOWN_AFTER[table]
    assert rewrite(own, table, day, until=day) > 0
    own.run("train_from_raw", OWN)
    after = own.table(TRAIN)
    changed = {name for name in before.columns if not after[name].equals(before[name])}
    assert {name.split("_")[0] for name in changed} >= {table}
    own_function = {"levels": "top_level", "logins": "long_logins_share"}
    assert table not in own_function or own_function[table] in changed
    others = KNOWN_AFTER.keys() - {table}
    assert not [name for name in changed if name.startswith(tuple(others))]


@pytest.mark.parametrize("table", KNOWN_AFTER)
def test_known_after_days_moves_what_is_visible_by_as_many_days(own: Studio, table: str) -> None:
    later = KNOWN_AFTER[table] + 3
    setting = {f"tables__{table}__known_after_days": later}
    build(own, **setting)
    before = tables(own)
    assert before != tables(Studio(own.data.with_name("kept"), own.data))
    assert rewrite(own, table, 1 - later) > 1000
    build(own, **setting)
    assert tables(own) == before
    assert rewrite(own, table, -later, until=-later) > 0
    build(own, **setting)
    assert tables(own) != before


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("import polars as pl\n", "import polars as pl  # The rows.\n", set()),
        ('pl.col("amount").min()', 'pl.col("amount").max()', set()),
        ("> 60", "> 30", {"train_features"} | MODEL),
        # Another function that gives the same features: the model has to know it.
        ('pl.col("level").max()', 'pl.col("level").max() + 0', {"train_features"} | MODEL),
    ],
    ids=["comment", "function not in use", "other values", "same values"],
)
def test_changed_function_runs_again_what_depends_on_it(
    own: Studio,
    games: Path,
    caplog: pytest.LogCaptureFixture,
    say: Say,
    old: str,
    new: str,
    expected: set[str],
) -> None:
    assert FUNCTIONS.count(old) == 1
    (games / "features.py").write_text(FUNCTIONS.replace(old, new))
    output = say(own, "score", OWN)
    if expected:
        assert is_refusal(output, "the code of features.python.use has changed"), output
        refused = say(own, "batch_predict", OWN)
        assert is_refusal(refused, "the code of features.python.use has changed"), refused
    else:
        assert output.startswith("exit 0"), output
    caplog.clear()
    caplog.set_level(logging.INFO)
    own.run("train", OWN)
    assert written(caplog.text) == expected
    assert say(own, "score", OWN).startswith("exit 0")


def test_replay_names_changed_functions(own: Studio, games: Path) -> None:
    version = champion(own, OWN)
    result = replay(OWN, version, str(own.data))
    assert result.is_equal
    assert result.others == ()
    (games / "features.py").write_text(FUNCTIONS.replace("> 60", "> 30"))
    result = replay(OWN, version, str(own.data))
    assert not result.features
    assert [change.what for change in result.others] == ["features.py"]


def test_map_shows_the_functions_in_use(own: Studio) -> None:
    graph = build_graph(load_settings(OWN), date(2025, 1, 1))
    shown = {
        node.name: [source.text for source in node.functions]
        for node in graph.tasks.values()
        if node.functions
    }
    assert {"build_window_features"} <= shown.keys()
    for sources in shown.values():
        first, second = sources
        assert first.startswith('@churnlib.feature(table="logins")\ndef long_logins(')
        assert second.endswith('.agg(pl.col("level").max())\n')


def test_descriptions_and_places_of_tables_do_not_concern_a_model(
    own: Studio, games: Path, say: Say
) -> None:
    before, version = tables(own), champion(own, OWN)
    text = (TABLES + FEATURES).replace("Where it is played", "Its platform")
    text = text.replace("[tables.logins]", '[tables.logins]\npath = "log/of/logins-*.parquet"')
    (games / f"{OWN}.toml").write_text(text)
    place = own.data / "01_raw" / OWN / "log" / "of"
    place.mkdir(parents=True)
    own.file(f"01_raw/{OWN}/logins.parquet").rename(place / "logins-1.parquet")
    for line in (("score", "--from-raw"), ("batch_predict",), ("train", "--from-raw")):
        output = say(own, line[0], OWN, *line[1:])
        assert output.startswith("exit 0"), output
    assert tables(own) == before
    assert champion(own, OWN) == version
    assert len(list(own.data.glob(f"06_models/{OWN}/*/manifest.json"))) == 1
