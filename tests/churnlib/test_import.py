"""`import churnlib`: fast, with all public names."""

import ast
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import churnlib

PROJECT = Path(__file__).resolve().parents[2]
HEAVY = (
    "prefect",
    "sklearn",
    "matplotlib",
    "polars",
    "pydantic",
    "numpy",
    "pyarrow",
    "skops",
    "obstore",
)
TIMED = """
import sys, time
began = time.perf_counter()
import churnlib
print(time.perf_counter() - began)
"""
SCRIPT = """
from datetime import date
import json, sys
import polars as pl
import churnlib

settings = churnlib.load_settings("game2", games_dir=sys.argv[1])
catalog = churnlib.Catalog(sys.argv[2], settings.game)
tables = {}
for table, parent in (
    ("character_data", None), ("sub_data", "character_data"), ("sub_miss", "sub_data"),
    ("character_currency", None),
):
    above = tables[parent].lazy() if parent else None
    checked = churnlib.check_table(catalog.raw(table), table, settings, parent=above)
    tables[table] = checked.rows
as_of = date(2025, 1, 1)
subs = churnlib.standard_features(
    tables["character_data"].lazy(), tables["sub_data"].lazy(), settings, as_of=as_of
)
subs = churnlib.add_churned_on(
    subs, tables["sub_miss"].lazy(), settings.outcome, as_of=as_of
)
subs = churnlib.in_window(subs, *settings.windows.train.span(as_of))
subs = churnlib.add_label(subs, as_of=as_of, horizon_months=settings.horizon_months)
lazy = {name: table.lazy() for name, table in tables.items()}
rows = churnlib.add_activity_features(subs, lazy, settings, as_of=as_of).collect()
steps = [
    step.model_copy(update={"params": {"n_estimators": 20, "max_depth": 4}})
    if step.name == "model" else step for step in settings.train.pipeline
]
model = churnlib.fit(rows, settings.train.model_copy(update={"pipeline": tuple(steps)}), seed=1)
scored = rows.with_columns(churnlib.predict(model, rows))
figures = {name: s.to_json() for name, s in churnlib.evaluate(scored).items()}
print(json.dumps([figures, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def python(*arguments: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    return done.stdout


def test_import_is_fast() -> None:
    assert min(float(python("-c", TIMED)) for _ in range(5)) < 0.3


def test_import_loads_no_heavy_library() -> None:
    code = "import sys, churnlib; print(' '.join(sys.modules))"
    loaded = {name.partition(".")[0] for name in python("-c", code).split()}
    assert "churnlib" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("name", churnlib.__all__)
def test_every_public_name_resolves(name: str) -> None:
    public = getattr(churnlib, name)
    assert public.__name__ == name
    assert public.__doc__
    assert name in dir(churnlib)


def test_type_checkers_find_the_same_names() -> None:
    tree = ast.parse(Path(churnlib.__file__).read_text(encoding="utf-8"))
    (block,) = (statement for statement in tree.body if isinstance(statement, ast.If))
    imports = [statement for statement in block.body if isinstance(statement, ast.ImportFrom)]
    seen = {alias.name: statement.module for statement in imports for alias in statement.names}
    assert seen == {name: f"churnlib.{home}" for name, home in churnlib._HOMES.items()}


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'churnlib' has no attribute 'trane'"):
        churnlib.trane  # noqa: B018


@pytest.mark.slow
def test_script_goes_from_raw_tables_to_metrics(tmp_path: Path) -> None:
    raw = tmp_path / "01_raw" / "game2"
    python(
        "-m", "churnlib.synthesis", "--game", "game2", "--out", str(raw), "--characters", "600"
    )  # fmt: skip
    figures, loaded = json.loads(python("-c", SCRIPT, str(PROJECT / "games"), str(tmp_path)))
    assert figures["general"]["n"] > 100
    assert figures["general"]["roc_auc"] > 0.6
    assert 0 < figures["new_characters"]["n"] <= figures["general"]["n"]
    assert "sklearn" in loaded
    assert {"prefect", "matplotlib", "flows", "obstore"}.isdisjoint(loaded)


def test_the_version_is_that_of_the_package() -> None:
    assert churnlib.__version__ == version("churnlib")
    assert "__version__" in dir(churnlib)
