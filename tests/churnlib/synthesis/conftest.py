"""Samples are generated once for all tests that ask for the same."""

from typing import Any

import pytest

from churnlib.synthesis import PROCESSES, generate
from tests.churnlib.synthesis.samples import Make, Sample, read


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Generates a game once for all tests that ask for the same."""
    made: dict[Any, Sample] = {}

    def generated(game: str, characters: int, signal: float = 1.0) -> Sample:
        key = (game, characters, signal)
        if key not in made:
            folder = tmp_path_factory.mktemp("raw")
            generate(PROCESSES[game], characters, 7, folder, signal=signal)
            made[key] = read(PROCESSES[game], signal, folder)
        return made[key]

    return generated
