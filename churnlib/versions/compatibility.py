"""Whether a model may be used for a run: made with the same features, known in time."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from churnlib.errors import ModelError
from churnlib.settings import Settings

DECISIVE = ("horizon_months", "churn_after_months", "standard", "currency")
"""The settings that decide what features and labels mean, so must be those of the training."""


def decisive_settings(settings: Settings) -> dict[str, Any]:
    """The settings that features and labels depend on, as plain data."""
    dumped = settings.model_dump(mode="json", include=set(DECISIVE))
    return {name: dumped[name] for name in DECISIVE}


def other_features(manifest: Mapping[str, Any], settings: Settings) -> str | None:
    """Names the settings by which a model's features or labels are others; null if there are none.

    Args:
        manifest: The model's.
        settings: The settings now.
    """
    then = manifest["settings"]
    now = json.loads(json.dumps(decisive_settings(settings)))
    changed = [
        f"{path} was {_get(then, path)!r} and is {_get(now, path)!r}"
        for path in _paths(then, now)
        if _get(then, path) != _get(now, path)
    ]
    return "; ".join(changed) or None


def refuse_other_features(manifest: Mapping[str, Any], settings: Settings, again: str) -> None:
    """Refuses a model whose features or labels were made by other settings.

    Args:
        manifest: The model's.
        settings: The settings now.
        again: The command that trains by these, for the message.

    Raises:
        ModelError: Names the settings that differ.
    """
    if changed := other_features(manifest, settings):
        raise ModelError(
            f"{settings.game}: model {manifest['version']} was trained on other features: "
            f"{changed}. Set these back, or train again: {again}"
        )


def refuse_late_labels(
    manifest: Mapping[str, Any], window: tuple[date, date], setting: str, allowed: bool
) -> str | None:
    """Refuses a model whose training labels were not all known when the window opens.

    Args:
        manifest: The model's.
        window: First and last start of the subscriptions to predict.
        setting: The window's name among the settings.
        allowed: Whether the settings allow it nevertheless.

    Returns:
        The warning that reports must carry where it is allowed; null where all is well.

    Raises:
        ModelError: It is not allowed.
    """
    known = date.fromisoformat(manifest["labels_known_by"])
    if known <= window[0]:
        return None
    what = (
        f"model {manifest['version']} learnt from labels known only by {known}, "
        f"after {setting} opens on {window[0]}"
    )
    if allowed:
        return f"{what}; the figures flatter (allow_label_overlap is set)"
    raise ModelError(
        f"{manifest['game']}: {what}: it has seen the future of these subscriptions. Use a model "
        f"trained as of an earlier day, a later {setting}.start, or set allow_label_overlap = true."
    )


def _paths(*trees: Mapping[str, Any]) -> list[str]:
    """Two levels down, which names the setting to look at."""
    paths: dict[str, None] = {}
    for tree in trees:
        for name in DECISIVE:
            value = tree.get(name)
            inner = [f"{name}.{key}" for key in value] if isinstance(value, Mapping) else [name]
            paths |= dict.fromkeys(inner)
    return list(paths)


def _get(tree: Mapping[str, Any], path: str) -> Any:
    at: Any = tree
    for part in path.split("."):
        at = at.get(part) if isinstance(at, Mapping) else None
    return at
