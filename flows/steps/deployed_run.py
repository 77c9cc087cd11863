"""Whether a deployment started the current run, and what such a run may not set."""

import os

from prefect.context import FlowRunContext

from churnlib.errors import SettingsError
from churnlib.io.storage import is_within
from churnlib.settings import Settings, load_settings, operator_settings, value_text

WORKERS_VARIABLE = "PREFECT__FLOW_RUN_ID"
"""What a worker sets in the environment of the process that runs a flow."""


def is_deployed() -> bool:
    """Whether a deployment or a worker started the current run, not a person's command line."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return bool(os.environ.get(WORKERS_VARIABLE) or (run and run.deployment_id))


def check_deployed_run(settings: Settings) -> None:
    """Checks that a run of a deployment keeps what the operator's settings say.

    Whoever may start a run may set its parameters, but not what the worker trusts. A person's own
    command line is not restricted.

    Args:
        settings: The settings of the run.

    Raises:
        SettingsError: A deployment started the run, and its parameters change a setting that
            `churnlib.settings.operator_settings` lists.
    """
    if not is_deployed():
        return
    own = load_settings(settings.game)
    for path, mark in {**operator_settings(own), **operator_settings(settings)}.items():
        stated, kept = (_value(each, path) for each in (settings, own))
        if stated == kept or (mark.inside and is_within(str(stated), str(kept))):
            continue
        allowed = f"{kept} and folders inside it" if mark.inside else value_text(kept)
        raise SettingsError(
            f"{settings.game}: {path} = {value_text(stated)} is refused in the parameters of a "
            f"deployment's run, because {mark.why}. Allowed: {allowed}. To allow another value, "
            f"set it in the game's file in games/, or in the worker's environment: "
            f"CHURN_{path.upper().replace('.', '__')}."
        )


def _value(settings: Settings, path: str) -> object:
    value: object = settings
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
    return value
