"""What the tests of the champion and its candidates share."""

from typing import Any

from flows.cli.main import main
from tests.flows.studio import Studio

GAME = "game1"
LENIENT = {"champion.max_loss": 0.9, "champion.min_outcomes": 1}
"""Settings that accept any candidate, also with the few subscriptions of a test."""
STRICT = LENIENT | {"champion.max_loss": 0.0}
"""Settings that accept only a candidate that is significantly better; else it waits."""
WORSE = {"train.features.include": ["gender"]}
"""Settings that give a candidate which is significantly worse."""
OTHER = {"train.seed": 8}
"""Settings that give another model: the candidate of the fixture `with_candidate`."""


def champion(studio: Studio, game: str = GAME) -> str:
    """The version in use."""
    version: str = studio.json(f"06_models/{game}/champion.json")["version"]
    return version


def registry(studio: Studio) -> dict[str, Any]:
    """The content of the registry."""
    content: dict[str, Any] = studio.json(f"06_models/{GAME}/registry.json")
    return content


def candidate(studio: Studio) -> str:
    """The version that waits for a back-test; None without one."""
    version: str = registry(studio)["candidate"]
    return version


def score_report(studio: Studio) -> dict[str, Any]:
    """The content of the newest report of a back-test."""
    content: dict[str, Any] = studio.json(f"08_reporting/{GAME}/score_report.json")
    return content


def champion_and_registry(studio: Studio) -> tuple[bytes, bytes]:
    """The contents of the champion's pointer and of the registry."""
    first, second = (
        studio.file(f"06_models/{GAME}/{name}.json") for name in ("champion", "registry")
    )
    return first.read_bytes(), second.read_bytes()


def promote(studio: Studio, *arguments: str) -> int:
    """Runs `churn promote`; returns its exit status."""
    return main(["promote", "--game", GAME, "--data-dir", str(studio.data), *arguments])
