"""The key of a task's call, under which its result is kept."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from churnlib.io.datasets import Dataset, DatasetRef
from flows.engine import cache
from flows.engine.cache import DrawnSeed, task_key
from flows.engine.results import datasets_in
from flows.task import task
from tests.flows.studio import ROOT


class Window(BaseModel, frozen=True):
    """A part of a game's settings."""

    start: int = -31
    columns: frozenset[str] = frozenset()


class WideWindow(Window, frozen=True):
    """The same with one setting more."""

    end: int = -14


class Settings(BaseModel, frozen=True):
    """Settings with a field whose value may be of a subclass of the declared class."""

    window: Window


def double(source: DatasetRef, target: Dataset, note: Any = None) -> None: ...


def key(note: Any, source: DatasetRef | None = None) -> str:
    """The key of a call that differs in one parameter."""
    return task_key(double, {"source": source, "note": note})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (1, "1"),
        (None, "None"),
        (date(2024, 7, 1), "2024-07-01"),
        ((1, 2), (2, 1)),
        ({"a": 1}, {"a": 2}),
        ({"a": None}, {}),
        (Window(), Window(start=-30)),
        (Window(), WideWindow()),
        (Settings(window=WideWindow()), Settings(window=WideWindow(end=-13))),
        (Dataset("a", "game1", "x"), Dataset("a", "game1", "y")),
        (DatasetRef("a", "game1", "x", "1"), DatasetRef("a", "game1", "x", "2")),
        (DatasetRef("a", "game1", "x", "1"), DatasetRef("a", "game2", "x", "1")),
        (DatasetRef("a", "game1", "x", "1"), DatasetRef("b", "game1", "x", "1")),
    ],
)
def test_task_key_differs_if_a_parameter_does(one: Any, other: Any) -> None:
    assert key(one) != key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (Window(columns=frozenset("abcdef")), Window(columns=frozenset("fedcba"))),
        (DatasetRef("a", "game1", "x", "1", 5), DatasetRef("a", "game1", "y", "1", None)),
        (7, DrawnSeed(7)),
    ],
)
def test_task_key_is_equal_for_equivalent_parameters(one: Any, other: Any) -> None:
    assert key(one) == key(other)


@dataclass(frozen=True)
class Context:
    """What tasks share."""

    window: Window
    source: DatasetRef | None = None
    author: str = ""


def read_context(context: Context, output: Dataset) -> None: ...


def context_key(context: Context, *notes: str) -> str:
    """The key of a call with a record, one field of which may be a note."""
    return task_key(read_context, {"context": context}, notes=notes)


def test_task_key_counts_the_fields_of_a_record_but_not_its_notes() -> None:
    usual = Context(Window())
    assert context_key(usual, "context.author") == context_key(
        replace(usual, author="me"), "context.author"
    )
    assert context_key(usual) != context_key(replace(usual, author="me"))
    wider = Context(Window(start=-30))
    assert context_key(usual, "context.author") != context_key(wider, "context.author")


def test_task_key_counts_datasets_in_a_record_by_content() -> None:
    one, moved, other = (
        Context(Window(), DatasetRef("a", "game1", uri, content))
        for uri, content in (("x", "1"), ("y", "1"), ("x", "2"))
    )
    assert context_key(one) == context_key(moved) != context_key(other)
    assert [*datasets_in({"context": one})] == [one.source]


@pytest.mark.parametrize("note", ["contex", "context.other", "output.rows"])
def test_task_note_that_names_nothing_is_refused(note: str) -> None:
    with pytest.raises(TypeError, match="has no"):
        task(notes=(note,))(read_context)


def test_task_key_differs_between_functions_of_one_scope() -> None:
    def one() -> int:
        return 1

    def other() -> int:
        return 1

    assert task_key(one, {}) != task_key(other, {})


def test_task_key_differs_with_the_code_that_counts() -> None:
    assert task_key(double, {}) != task_key(double, {}, ("churnlib.seeds",))


def test_task_key_differs_with_every_library_that_the_project_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of whichever version a library is, all that the code imports count."""
    names = packages_distributions()
    imported = {
        name.split(".")[0]
        for package in ("churnlib", "flows")
        for file in (ROOT / package).rglob("*.py")
        for name in imported_modules(file)
    }
    needed = {
        distribution.lower().replace("_", "-")
        for name in imported - {*sys.stdlib_module_names, "churnlib", "flows", *WITHOUT_EFFECT}
        for distribution in names[name]
    }
    assert needed >= {"matplotlib", "jinja2", "dataframely", "pyarrow", "scipy", "polars"}
    installed = dict(cache._versions())
    assert needed - installed.keys() == set()
    before = task_key(double, {})
    for name in installed:
        monkeypatch.setattr(cache, "_versions", lambda name=name: installed | {name: "other"})
        assert task_key(double, {}) != before


WITHOUT_EFFECT = {
    # They move data, or serve Prefect.
    *("obstore", "distributed", "dask", "prefect_dask", "anyio", "httpx", "uvicorn"),
    # They read databases into snapshots, whose content counts.
    *("adbc_driver_postgresql", "duckdb"),
    # Parts of libraries that count: of pydantic and Jinja, and the threads of NumPy.
    *("pydantic_core", "markupsafe", "threadpoolctl"),
}
"""Libraries that decide no byte, or come with one that counts."""


def imported_modules(file: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
