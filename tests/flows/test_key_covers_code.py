"""Nothing that runs in a task can change without a change of the task's cache key."""

import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import flows.task
from churnlib.io.made_of import made_of
from flows.engine import code_digest
from flows.engine.cache import check_arguments
from flows.engine.code_digest import Definition
from tests.flows.models import GAME
from tests.flows.studio import ROOT, Studio

Definitions = set[tuple[str, str]]
"""Modules, and names that they define."""

WITHOUT_EFFECT = (
    # What surrounds a task: the check of its inputs, its log and its result.
    *(
        "churnlib.io.made_of",
        "churnlib.io.datasets.is_unchanged",
        "flows.task",
        "flows.engine.log",
        "flows.engine.results",
        "flows.engine.cache",
    ),
    *("flows.engine.ledger", "flows.engine.events", "flows.engine.tolerance"),
    # Tests parse the commands that messages suggest.
    "flows.cli",
)
"""Modules and functions that decide whether a result is kept, never what it is."""


def definition_of(code: CodeType) -> tuple[str, str] | None:
    """The module and the name at its top level that code belongs to.

    None if it is not the project's; is a template, which counts as a file; or is nameless, so that
    it belongs to a statement of its module that runs on import.
    """
    try:
        path = Path(code.co_filename).relative_to(ROOT)
    except ValueError:
        return None
    name = code.co_qualname.split(".")[0]
    if path.parts[0] not in ("churnlib", "flows") or path.suffix != ".py" or name.startswith("<"):
        return None
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts), name


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> dict[Callable[..., Any], Definitions]:
    """What the function of each task executes, once tasks run."""
    found: dict[Callable[..., Any], set[CodeType]] = defaultdict(set)
    functions: list[Callable[..., Any]] = []

    def note(function: Callable[..., Any], arguments: Any) -> None:
        functions.append(function)
        check_arguments(function, arguments)

    @contextmanager
    def traced(*sources: Any) -> Iterator[None]:
        codes, before = found[functions[-1]], sys.getprofile()

        def see(frame: FrameType, event: str, _: Any) -> None:
            if event == "call":
                codes.add(frame.f_code)

        with made_of(*sources):
            sys.setprofile(see)
            try:
                yield
            finally:
                sys.setprofile(before)

    monkeypatch.setattr(flows.task, "check_arguments", note)
    monkeypatch.setattr(flows.task, "made_of", traced)

    class Executed(dict[Callable[..., Any], Definitions]):
        def __missing__(self, function: Callable[..., Any]) -> Definitions:
            return {d for code in found[function] if (d := definition_of(code))}

        def functions(self) -> list[Callable[..., Any]]:
            return list(found)

    return Executed()


def counted(function: Callable[..., Any], uses: tuple[str, ...]) -> Definitions:
    """The definitions whose code counts in the key of a task."""
    function = inspect.unwrap(function)
    module = code_digest.module_name(function)
    graph = code_digest._graph(module, Path(function.__code__.co_filename))
    wanted = [Definition(module, function.__qualname__.split(".")[0])]
    wanted += [Definition(used, None) for used in uses if "/" not in used]
    pieces, _ = graph.follow_all(wanted)
    names = (piece.split(" = ")[0] for piece in pieces if " = " in piece)
    return {(module, name) for module, _, name in (text.rpartition(".") for text in names)}


@pytest.mark.slow
def test_every_function_that_a_task_executes_counts_in_its_key(
    empty_studio: Studio, executed: Any
) -> None:
    empty_studio.take_through(GAME)
    tasks = {
        inspect.unwrap(task.fn): task
        for module in list(sys.modules.values())
        if getattr(module, "__name__", "").startswith("flows.")
        for task in vars(module).values()
        if hasattr(task, "fn") and hasattr(task, "cache_policy")
    }
    missing = {}
    for function in executed.functions():
        task = tasks[inspect.unwrap(function)]
        ran = {d for d in executed[function] if not ".".join(d).startswith(WITHOUT_EFFECT)}
        left_out = ran - counted(function, task.cache_policy.uses)
        if left_out:
            missing[function.__name__] = sorted(left_out)
    assert executed.functions()
    assert missing == {}
