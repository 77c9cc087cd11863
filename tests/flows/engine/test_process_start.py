"""Code on disk that is not what this process runs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.engine import process_start
from flows.engine.cache import changed_files
from flows.engine.code_digest import code_digest
from flows.engine.process_start import replaced_packages


def test_packages_that_stay_in_place_are_not_replaced() -> None:
    assert [file.parent.name for file in process_start._AT_START] == ["churnlib", "flows"]
    assert replaced_packages() == []


@pytest.fixture
def current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A link to one of two releases, both older than this process, which began with the first."""
    for release in ("1", "2"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "__init__.py").touch()
    link = tmp_path / "current"
    link.symlink_to("1")
    file = link / "__init__.py"
    monkeypatch.setattr(process_start, "_AT_START", {file: process_start._identity(file)})
    return link


def switch(link: Path) -> None:
    link.with_name("new").symlink_to("2")
    link.with_name("new").replace(link)


def rename(link: Path) -> None:
    link.with_name("1").rename(link.with_name("0"))
    link.with_name("2").rename(link.with_name("1"))


def remove(link: Path) -> None:
    shutil.rmtree(link.with_name("1"))


@pytest.mark.parametrize("deploy", [switch, rename, remove])
def test_swapped_package_counts_as_changed_code(
    deploy: Callable[[Path], None], current: Path
) -> None:
    code = code_digest(code_digest)
    assert changed_files(code) == []
    deploy(current)
    assert changed_files(code) == [current]
