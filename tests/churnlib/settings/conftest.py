from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from churnlib.settings import Settings, load_settings
from tests.churnlib.settings.samples import BASE, Load


@pytest.fixture
def games(tmp_path: Path) -> Path:
    """A project with two games that state nothing of their own."""
    folder = tmp_path / "project" / "games"
    folder.mkdir(parents=True)
    (folder / "base.toml").write_text(BASE)
    (folder / "hawk.toml").write_text("")
    (folder / "dove.toml").write_text("")
    return folder


@pytest.fixture
def load(games: Path) -> Load:
    """Loads the game `hawk`, with its own file's text, overrides and environment stated."""

    def load_hawk(
        text: str = "",
        overrides: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Settings:
        (games / "hawk.toml").write_text(text)
        return load_settings("hawk", overrides, games_dir=str(games), environ=environ or {})

    return load_hawk
