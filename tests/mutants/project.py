"""A copy of the project in which every mutant of some modules can be switched on by its name."""

import contextlib
import shutil
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

import libcst as cst

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("churnlib", "flows", "games", "tests", "pyproject.toml")
TARGETS = {
    "features": ("churnlib/features/*.py", "tests/churnlib/features"),
    "metrics": ("churnlib/metrics/*.py", "tests/churnlib/metrics"),
    "gate": ("churnlib/versions/gate.py", "tests/churnlib/versions/test_gate.py"),
}
"""What is mutated, and the tests that must notice."""
GETTERS = ("property", "cached_property")


class Mutant(NamedTuple):
    """A change of the code.

    Attributes:
        name: The module and the function, with the number of the mutant.
        module: The path of the changed module.
        diff: What is changed.
    """

    name: str
    module: str
    diff: str


def make_mutants(target: str, folder: Path) -> list[Mutant]:
    """Copies the project into an empty folder, with mutants of some modules.

    Args:
        target: One of `TARGETS`.
        folder: Where to.
    """
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*")
            )
        else:
            shutil.copy(ROOT / name, folder / name)
    with contextlib.chdir(folder):
        paths = sorted(Path().glob(TARGETS[target][0]))
        return [mutant for path in paths for mutant in _mutate(path)]


def _mutate(path: Path) -> Iterator[Mutant]:
    from mutmut.mutation.file_mutation import mutate_file_contents

    plain = cst.parse_module(path.read_text(encoding="utf-8")).visit(_Rewrite()).code
    mutated = mutate_file_contents(str(path), plain)
    path.write_text(mutated.code, encoding="utf-8")
    lines, spans = mutated.code.splitlines(), mutated.line_span_by_function_name
    for name in mutated.mutant_names:
        function = f"{name.rpartition('_')[0]}_orig"
        before, after = (lines[spans[f].start - 1 : spans[f].end] for f in (function, name))
        changes = list(unified_diff(before[1:], after[1:], n=1, lineterm=""))[2:]
        module = ".".join(path.with_suffix("").parts)
        yield Mutant(f"{module}.{name}", str(path), "\n".join(changes))


class _Rewrite(cst.CSTTransformer):
    """Writes a module so that mutmut changes what it should.

    It ignores functions with decorators, so properties become plain methods. No test should pin
    the wording of messages, so strings with a space become triple-quoted ones, which it ignores.
    """

    def leave_FunctionDef(  # noqa: N802  The name is libcst's.
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.FlattenSentinel[cst.BaseStatement]:
        """Turns a property into a method and `name = property(method)`."""
        names = [cst.Module([]).code_for_node(d.decorator) for d in updated_node.decorators]
        if len(names) != 1 or names[0] not in GETTERS:
            return updated_node
        name = updated_node.name.value
        method = updated_node.with_changes(name=cst.Name(f"_get_{name}"), decorators=())
        attribute = cst.parse_statement(f"{name} = {names[0]}(_get_{name})")
        return cst.FlattenSentinel([method, attribute])

    def leave_SimpleString(  # noqa: N802  The name is libcst's.
        self, original_node: cst.SimpleString, updated_node: cst.SimpleString
    ) -> cst.SimpleString:
        """Turns a message into a triple-quoted string."""
        text = updated_node.raw_value
        if updated_node.quote != '"' or " " not in text or text.endswith('"'):
            return updated_node
        return updated_node.with_changes(value=f'{updated_node.prefix}"""{text}"""')
