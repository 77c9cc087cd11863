"""The locks pin every dependency that `pyproject.toml` names."""

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BASE = tuple(map(Requirement, PROJECT["dependencies"]))
EXTRAS = tuple(
    requirement
    for extra in PROJECT["optional-dependencies"].values()
    for requirement in map(Requirement, extra)
    if requirement.name != PROJECT["name"]
)


def pinned(lock: str) -> dict[str, set[str]]:
    """The versions of each package in a lock; more than one where Python versions need it."""
    versions = defaultdict[str, set[str]](set)
    text = (ROOT / lock).read_text(encoding="utf-8")
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE):
        versions[name].add(version)
    return dict(versions)


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [("requirements.lock", BASE), ("requirements-dev.lock", (*BASE, *EXTRAS))],
)
def test_lock_pins_every_dependency_to_an_allowed_version(
    lock: str, requirements: tuple[Requirement, ...]
) -> None:
    versions = pinned(lock)
    assert requirements
    for requirement in requirements:
        in_lock = versions.get(canonicalize_name(requirement.name))
        assert in_lock, f"{requirement} is not in {lock}: run `make lock`"
        assert all(map(requirement.specifier.contains, in_lock)), f"{requirement}: {in_lock}"


def test_locks_pin_the_same_versions() -> None:
    base, dev = pinned("requirements.lock"), pinned("requirements-dev.lock")
    assert {name: dev.get(name) for name in base} == base
