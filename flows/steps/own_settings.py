"""Whether a run has the game's own settings, or others: a try, of which less is recorded."""

from collections.abc import Iterator
from functools import reduce
from typing import Any

from churnlib.errors import SettingsError
from churnlib.io.commands import churn_command
from churnlib.settings import Settings, load_settings
from churnlib.versions.champion import champion_and_registry
from churnlib.versions.compatibility import DECISIVE, decisive_settings
from flows.engine.tries import is_same_folder
from flows.steps.run import Run

BACK_TEST = (
    *DECISIVE,
    "raw",
    "windows.score",
    "allow_label_overlap",
    "campaign",
    "champion.min_outcomes",
    "evaluation.min_outcomes",
)
"""The settings that decide what a back-test shows about a model, and whether it can judge it."""


def own_settings(game: str) -> Settings | None:
    """The settings of a game without those of a run; None if they are invalid without them."""
    try:
        return load_settings(game)
    except SettingsError:
        return None


def has_own_features(run: Run) -> bool:
    """Whether a run's settings of features and labels differ from those of the game."""
    own = own_settings(run.settings.game)
    return own is None or decisive_settings(own) != decisive_settings(run.settings)


def back_test_changes(run: Run) -> tuple[str, ...]:
    """Names the settings of a back-test that differ from those of the game.

    Empty if the run has a data folder of its own, whose models nothing else uses.
    """
    own = own_settings(run.settings.game)
    if own is None or not is_same_folder(run.settings.data_dir, own.data_dir):
        return ()
    return tuple(_changed(run.settings, own))


def deciding_command(run: Run, version: str) -> str:
    """Writes the command line of a back-test that decides on the contacts of a version.

    In the game's own data folder, it has the game's own settings. It names the version if the run
    does, or if it would back-test a waiting candidate instead.
    """
    champion, registry = champion_and_registry(run.catalog)
    is_next = registry.next_candidate(champion) in (None, version)
    named = () if is_next and not run.model else ("--model", version)
    own = own_settings(run.settings.game)
    if own and is_same_folder(run.settings.data_dir, own.data_dir):
        return churn_command("score", own.game, run.catalog.data_dir, *named)
    return run.command("score", *named, latest=True)


def try_warnings(run: Run) -> tuple[str, ...]:
    """Warns of a back-test that does not decide on contacts, because its settings differ."""
    changed = back_test_changes(run)
    if not changed:
        return ()
    differ = "differs" if len(changed) == 1 else "differ"
    return (
        f"{', '.join(changed)} {differ} from the game's own settings, so this back-test is a try: "
        "it does not decide on contacts; the last one with the game's own settings does",
    )


def _changed(settings: Settings, own: Settings) -> Iterator[str]:
    for path in BACK_TEST:
        here, there = (_value(each, path) for each in (settings, own))
        if here != there:
            yield path


def _value(settings: Settings, path: str) -> Any:
    return reduce(getattr, path.split("."), settings)
