"""Decides what to write to a server: only what the files changed since they were last applied.

Each decision compares three things: what the files said when they were last applied (`before`),
what they say now (`now`), and what is on the server (`standing`). Where the files say the same as
before, the server's value stays, because it is the one that was applied or that somebody has set
manually since.
"""

from collections.abc import Mapping
from typing import Any

SWITCHES = frozenset({"active", "enabled"})
"""Fields that say whether something is on."""


def merge(
    before: Mapping[str, Any], now: Mapping[str, Any], standing: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Decides the fields of a deployment, a schedule or an automation.

    Args:
        before: The fields that the files said last; a field that is missing is not known, because
            an older version of this project applied it.
        now: The fields that the files say.
        standing: The fields on the server; None if it holds no such thing.

    Returns:
        The fields to write, which are those of `now`.
    """
    if standing is None:
        return dict(now)
    return {
        name: standing[name] if _is_kept(name, before, now) else value
        for name, value in now.items()
    }


def _is_kept(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    if name not in before:
        # Older versions switched on what the files said, and off only what was off.
        return name in SWITCHES
    return bool(before[name] == now[name])


def merge_schedules(
    before: Mapping[str, Mapping[str, Any]],
    now: Mapping[str, Mapping[str, Any]],
    standing: Mapping[str, Mapping[str, Any]] | None,
) -> dict[str, dict[str, Any]]:
    """Decides the schedules of a deployment, each by its slug.

    A schedule that was added manually stays, and one that was removed manually stays away, until
    the files change it.

    Args:
        before: The schedules that the files named last.
        now: Those that they name.
        standing: Those of the deployment on the server; None if there is no deployment.

    Returns:
        All schedules that the deployment is to have.
    """
    if standing is None:
        return {slug: dict(fields) for slug, fields in now.items()}
    added = {
        slug: dict(fields)
        for slug, fields in standing.items()
        if slug not in now and slug not in before
    }
    named = {
        slug: merge(before.get(slug, {}), fields, standing.get(slug))
        for slug, fields in now.items()
        if slug in standing or before.get(slug) != fields
    }
    return {**named, **added}
