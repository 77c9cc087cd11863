"""The model versions that a run uses."""

from dataclasses import replace

import pytest

from churnlib.io.datasets import DatasetRef
from flows.steps import model_choice
from flows.steps.model_choice import open_version

MODEL = DatasetRef("model", "hawk", "/data/06_models/hawk/v1", "fe" * 32, None)


def test_version_is_opened_once_until_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    monkeypatch.setattr(model_choice, "read_manifest", lambda _: {"version": "v1"})
    monkeypatch.setattr(model_choice, "open_model", lambda model, *_, **__: opened.append(model))
    changed = replace(MODEL, fingerprint="ab" * 32)
    for model in (MODEL, MODEL, changed):
        open_version(model, allow_joblib=False)
    assert opened == [MODEL, changed]
    open_version.cache_clear()
