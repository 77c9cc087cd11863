"""What counts as the code that a function runs, on a small package that the tests write."""

import importlib
import os
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from flows.engine.code_digest import Digest, changed_at, code_digest, module_name
from flows.engine.sources import find_module

STUDIO = {
    "__init__.py": """
        from studio.fit import train as fit_model
        """,
    "flow.py": '''
        """The flow."""
        from __future__ import annotations

        from typing import TYPE_CHECKING

        import studio.named
        from math import floor as rounded

        from studio import fit_model, whole
        from studio.helpers import first as begin
        from studio.shapes import Shape
        from . import relative
        from .stars import *

        if TYPE_CHECKING:
            from studio.typed import Settings

        def task(function):
            return function

        @task
        def work(x, settings: "Settings"):
            """What it does."""
            from studio.lazy import late
            import studio.lazy_module as aliased
            begin(x)
            late(x)
            aliased.go(x)
            studio.named.go(x)
            relative.go(x)
            starred(x)
            Shape().area()
            fit_model(x)
            getattr(whole, x)()
            even(x)
            return rounded(x)

        def even(n):
            return n == 0 or odd(n - 1)

        def odd(n):
            return n != 0 and even(n - 1)

        def unrelated(x):
            return x

        def same(x):
            return x

        def registered(x):
            return x

        if __name__ == "__main__":
            work(1, None)
        ''',
    "helpers.py": """
        from studio.deep import second

        def first(x):
            return second(x) + 1
        """,
    "deep.py": '''
        FACTOR = 2
        TABLE = {"a": 1}
        TABLE["b"] = 2
        print("loaded")

        def second(x):
            """Doc."""
            # comment
            return FACTOR * x * TABLE["a"]

        def unrelated(x):
            return x
        ''',
    "shapes.py": '''
        class Base:
            def half(self):
                return 1

        class Shape(Base):
            """A shape."""

            size: int = 3
            """Its size."""

            def area(self):
                return self.half() * self.size

        class Unrelated:
            pass
        ''',
    "fit.py": "def train(x):\n    return x\n",
    "lazy.py": "def late(x):\n    return x\n",
    "lazy_module.py": "def go(x):\n    return x\n\ndef unrelated(x):\n    return x\n",
    "named.py": "def go(x):\n    return x\n\ndef unrelated(x):\n    return x\n",
    "relative.py": "def go(x):\n    return x\n\ndef unrelated(x):\n    return x\n",
    "stars.py": "def starred(x):\n    return x\n",
    "typed.py": "class Settings:\n    def end(self):\n        return 1\n",
    "whole.py": "def anything(x):\n    return x\n",
    "registry/__init__.py": "",
    "registry/steps.py": "class Step:\n    size = 1\n",
}


class Studio:
    """The package on disk, and the present digests of its functions."""

    def __init__(self, root: Path) -> None:
        """Writes the package."""
        self._root = root / "studio"
        self._ticks = count(1)
        for name, text in STUDIO.items():
            file = self._root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text).lstrip())

    def function(self, name: str) -> Callable[..., Any]:
        """A function of the flow's module."""
        function: Callable[..., Any] = getattr(importlib.import_module("studio.flow"), name)
        return function

    def digest(self, name: str = "work", uses: tuple[str, ...] = ()) -> Digest:
        """The digest of a function of the flow's module."""
        return code_digest(self.function(name), uses)

    def replace(self, file: str, old: str, new: str) -> None:
        """Edits a file."""
        path = self._root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        later = path.stat().st_mtime_ns + next(self._ticks)
        os.utime(path, ns=(later, later))


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """The package, importable for one test."""
    for name in [name for name in sys.modules if name.split(".")[0] == "studio"]:
        monkeypatch.delitem(sys.modules, name)
    package = Studio(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    find_module.cache_clear()
    return package


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("flow.py", "return rounded(x)", "return -rounded(x)"),
        ("flow.py", "math import floor as", "math import ceil as"),
        ("flow.py", "return n != 0", "return n > 0"),
        ("helpers.py", "+ 1", "+ 2"),
        ("helpers.py", "import second", "import unrelated as second"),
        ("deep.py", "return FACTOR", "return -FACTOR"),
        ("deep.py", "FACTOR = 2", "FACTOR = 3"),
        ("deep.py", '{"a": 1}', '{"a": 2}'),
        ("deep.py", '"b"] = 2', '"b"] = 3'),
        ("deep.py", '"loaded"', '"read"'),
        ("shapes.py", "self.half() *", "self.half() +"),
        ("shapes.py", "return 1", "return 2"),
        ("shapes.py", "int = 3", "int = 4"),
        ("fit.py", "return x", "return -x"),
        ("lazy.py", "return x", "return -x"),
        ("lazy_module.py", "def go(x):\n    return x", "def go(x):\n    return -x"),
        ("named.py", "def go(x):\n    return x", "def go(x):\n    return -x"),
        ("relative.py", "def go(x):\n    return x", "def go(x):\n    return -x"),
        ("stars.py", "return x", "return -x"),
        ("typed.py", "return 1", "return 2"),
        ("whole.py", "return x", "return -x"),
    ],
)
def test_code_digest_changes_with_the_code(studio: Studio, file: str, old: str, new: str) -> None:
    before = studio.digest()
    studio.replace(file, old, new)
    assert studio.digest().value != before.value


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("flow.py", '"""What it does."""', '"""Another text."""'),
        ("flow.py", "def unrelated(x):\n    return x", "def unrelated(x):\n    return -x"),
        ("flow.py", "    work(1, None)", "    work(2, None)"),
        ("flow.py", "@task\ndef work", "@task()\ndef work"),
        ("deep.py", "# comment", "# another"),
        ("deep.py", '"""Doc."""', "\n\n"),
        ("deep.py", "FACTOR * x", "(FACTOR\n            * x)"),
        ("deep.py", "def unrelated(x):\n    return x", "def unrelated(x):\n    return -x"),
        ("shapes.py", '"""Its size."""', '"""Its extent."""'),
        ("shapes.py", "class Unrelated:\n    pass", "class Unrelated:\n    a = 1"),
        ("lazy_module.py", "def unrelated(x):\n    return x", "def unrelated(x):\n    return -x"),
        ("named.py", "def unrelated(x):\n    return x", "def unrelated(x):\n    return -x"),
        ("registry/steps.py", "size = 1", "size = 2"),
    ],
)
def test_code_digest_is_unchanged_for_unchanged_code(
    studio: Studio, file: str, old: str, new: str
) -> None:
    before = studio.digest()
    studio.replace(file, old, new)
    assert studio.digest().value == before.value


@pytest.mark.parametrize("uses", ["studio.registry.steps", "studio.registry"])
def test_code_digest_counts_a_named_module_as_a_whole(studio: Studio, uses: str) -> None:
    before = studio.digest("unrelated", (uses,))
    assert before.value != studio.digest("unrelated").value
    studio.replace("registry/steps.py", "size = 1", "size = 2")
    assert studio.digest("unrelated", (uses,)).value != before.value


def test_code_digest_names_the_files_it_read(studio: Studio) -> None:
    assert {file.name for file in studio.digest("fit_model").files} == {"fit.py"}
    assert {"deep.py", "lazy.py", "whole.py"} <= {file.name for file in studio.digest().files}


def test_code_digest_imports_nothing(studio: Studio) -> None:
    studio.digest()
    assert "studio.lazy" not in sys.modules


def test_code_digest_missing_module_is_refused(studio: Studio) -> None:
    with pytest.raises(LookupError, match=r"studio\.nowhere"):
        studio.digest(uses=("studio.nowhere",))


def test_code_digest_function_without_source_is_refused() -> None:
    names: dict[str, Any] = {"__name__": "nowhere"}
    exec("def f(): pass", names)
    with pytest.raises(LookupError, match="nowhere"):
        code_digest(names["f"])


def test_module_name_of_a_program_is_that_of_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None: ...

    work.__module__ = "__main__"
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["flows.engine.code_digest"])
    assert module_name(work) == "flows.engine.code_digest"


@pytest.mark.parametrize("used", ["churnlib/report/page", "churnlib/report/page/style.css"])
def test_file_or_folder_of_a_package_counts_as_a_whole(used: str) -> None:
    from churnlib.report.write import write_report

    with_file = code_digest(write_report, (used,))
    assert with_file.value != code_digest(write_report).value
    assert "style.css" in {file.name for file in with_file.files}


def test_missing_file_is_refused() -> None:
    from churnlib.report.write import write_report

    with pytest.raises(LookupError, match=r"there is no file churnlib/nothing\.txt"):
        code_digest(write_report, ("churnlib/nothing.txt",))


def test_change_that_keeps_the_file_times_is_seen(studio: Studio, tmp_path: Path) -> None:
    """As a deployment by `rsync -a` or `cp -a` does."""
    file, started = tmp_path / "studio" / "deep.py", time.time_ns()
    before, kept = studio.digest(), file.stat()
    assert changed_at(file) <= started
    file.write_text(file.read_text().replace("FACTOR = 2", "FACTOR = 3"))
    os.utime(file, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert changed_at(file) > kept.st_mtime_ns
    assert studio.digest() != before
