"""Modules, names and files that docstrings, comments and pages mention exist."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = "churnlib|flows|tests|benchmarks|docs|deployments"
SEARCHED = ("churnlib", "flows", "benchmarks", "docs", "deployments", "games", "notebooks")
DOTTED = re.compile(rf"(?<![\w./-])(?:{ROOMS})(?:\.[A-Za-z_]\w*)+")
PATH = re.compile(rf"(?<![\w./-])(?:{ROOMS})/[\w./-]*\w")
UNTRACKED = ("deployments/.env",)
"""Files that users create."""


def texts() -> Iterator[tuple[str, str]]:
    """The product's code and pages by path; the changelog may name what is gone."""
    inside = (file for room in SEARCHED for file in (ROOT / room).rglob("*.*"))
    for file in (*ROOT.glob("*.*"), *inside):
        if file.suffix in (".py", ".md", ".toml", ".yaml") and file.name != "CHANGELOG.md":
            yield str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")


def is_defined(dotted: str) -> bool:
    """Whether the longest part of a dotted name that is a module mentions the next part."""
    parts = dotted.split(".")
    for depth in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:depth])
        module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if module.exists():
            rest = parts[depth : depth + 1]
            return not rest or re.search(rf"\b{rest[0]}\b", module.read_text("utf-8")) is not None
    return False


def test_dotted_names_lead_to_something() -> None:
    mentioned = {(file, name) for file, text in texts() for name in DOTTED.findall(text)}
    assert len(mentioned) > 100
    files = (".py", ".md", ".lock", ".parquet")
    assert [m for m in sorted(mentioned) if not m[1].endswith(files) and not is_defined(m[1])] == []


def test_paths_lead_to_something() -> None:
    mentioned = {(file, path) for file, text in texts() for path in PATH.findall(text)}
    assert len(mentioned) > 20
    assert [
        (file, path)
        for file, path in sorted(mentioned)
        if path not in UNTRACKED
        and not (ROOT / path).exists()
        and not (ROOT / f"{path}.py").exists()
    ] == []
