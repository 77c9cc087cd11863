"""What was read from source files is kept on disk, and read again when the source changes."""

import json
import sys
from pathlib import Path

import pytest

from flows.engine.source_cache import SourceCache
from flows.engine.sources import Module

SOURCE = b"""
from math import floor as rounded
from .stars import *
import os.path

LIMIT = 3

def work(x: "Settings") -> int:
    from studio.lazy import late
    return late(rounded(x)) + os.path.getsize(x)

print(work)
"""


def never(*_: object, **__: object) -> Module:
    raise AssertionError("parsed again")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a cache to which a module was added."""
    file = tmp_path / "home" / "cache.json"
    cache = SourceCache(file)
    cache.read("studio.flow", SOURCE, is_package=False)
    cache.write()
    return file


def test_kept_module_equals_the_parsed_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = Module.parse("studio.flow", SOURCE, is_package=False)
    monkeypatch.setattr(Module, "parse", never)
    assert SourceCache(file).read("studio.flow", SOURCE, is_package=False) == parsed


@pytest.mark.parametrize("change", ["source", "package", "reader"])
def test_module_is_parsed_again_after_a_change(
    file: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SOURCE.replace(b"LIMIT = 3", b"LIMIT = 4") if change == "source" else SOURCE
    if change == "reader":
        monkeypatch.setattr(sys, "version", "another Python")
    monkeypatch.setattr(Module, "parse", never)
    with pytest.raises(AssertionError, match="parsed again"):
        SourceCache(file).read("studio.flow", source, is_package=change == "package")


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"reader": 1}', "modules"])
def test_damaged_file_counts_as_empty(file: Path, damage: str) -> None:
    parsed = Module.parse("studio.flow", SOURCE, is_package=False)
    kept = json.loads(file.read_text())
    for modules in ({"studio.flow": 1}, {"studio.flow": [kept["modules"]["studio.flow"][0], {}]}):
        text = json.dumps(kept | {"modules": modules}) if damage == "modules" else damage
        file.write_text(text)
        assert SourceCache(file).read("studio.flow", SOURCE, is_package=False) == parsed


def test_cache_that_cannot_be_written_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, not a folder")
    cache = SourceCache(tmp_path / "home" / "cache.json")
    assert cache.read("studio.flow", SOURCE, is_package=False).stars == ["studio.stars"]
    cache.write()
