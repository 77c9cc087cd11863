"""The licences of what is installed are known, and permissive or reviewed."""

import pytest

from docs import licences


def test_every_locked_package_has_a_known_licence() -> None:
    assert len(licences.locked()) > 100
    assert licences.unclear() == {}


def test_reviewed_packages_are_locked() -> None:
    named = {*licences.REVIEWED, *licences.STATED}
    assert named <= set(licences.locked())


@pytest.mark.parametrize("text", ["GPL-3.0-only", "MIT AND SSPL-1.0", "unknown", "Proprietary"])
def test_other_licences_are_noticed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(licences.STATED, "numpy", text)
    assert licences.unclear() == {"numpy": text}
