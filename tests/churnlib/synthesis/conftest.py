"""Samples, each generated once per module."""

from typing import Any

import pytest

from churnlib.synthesis import STANDARD, generate
from tests.churnlib.synthesis.samples import Make, Sample, read


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Generates a game, once for all tests that need the same one."""
    samples: dict[Any, Sample] = {}

    def generated(game: str, characters: int, signal: float = 1.0) -> Sample:
        key = (game, characters, signal)
        if key not in samples:
            folder = tmp_path_factory.mktemp("raw")
            generate(STANDARD[game], characters, 7, folder, signal=signal)
            samples[key] = read(STANDARD[game], signal, folder)
        return samples[key]

    return generated
