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


def extras(*names: str) -> tuple[Requirement, ...]:
    """The requirements of some extras, and of those that they name."""
    found: list[Requirement] = []
    for name in names:
        for requirement in map(Requirement, PROJECT["optional-dependencies"][name]):
            if requirement.name == PROJECT["name"]:
                found += extras(*requirement.extras)
            else:
                found.append(requirement)
    return tuple(found)


EXTRAS = extras(*PROJECT["optional-dependencies"])
IMAGE = extras("image")
LOCKS = ("requirements.lock", "requirements-image.lock", "requirements-dev.lock")


def pinned(lock: str) -> dict[str, set[str]]:
    """The versions of each package in a lock; more than one where Python versions need it."""
    versions = defaultdict[str, set[str]](set)
    text = (ROOT / lock).read_text(encoding="utf-8")
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE):
        versions[name].add(version)
    return dict(versions)


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("requirements.lock", BASE),
        ("requirements-image.lock", (*BASE, *IMAGE)),
        ("requirements-dev.lock", (*BASE, *EXTRAS)),
    ],
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
    dev = pinned("requirements-dev.lock")
    for lock in LOCKS:
        versions = pinned(lock)
        assert {name: dev.get(name) for name in versions} == versions


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_hashes_and_names_no_registry(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"://|index-url|find-links", text)
    packages = re.split(r"^(?=[\w.-]+==)", text, flags=re.M)[1:]
    assert len(packages) > 80
    assert [one.splitlines()[0] for one in packages if "--hash=sha256:" not in one] == []
