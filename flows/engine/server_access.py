"""Who may use a Prefect server on this machine: passwords, and the profile that holds one.

Only the standard library, and what needs no more, are imported here.
"""

import json
import os
import re
import secrets
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

from churnlib.errors import ServerError, reason
from churnlib.io.temporary import temporary_name
from flows.engine.prefect_home import prefect_home
from flows.engine.server_program import origins

PROFILE = "churn"
"""The profile of Prefect that names the permanent server, with its password."""
URL, AUTH = "PREFECT_API_URL", "PREFECT_API_AUTH_STRING"
"""What a client must know of a server."""
SERVER_AUTH, CORS = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"


def new_password() -> str:
    """Draws what Prefect calls an auth string: a user and a password."""
    return f"{PROFILE}:{secrets.token_urlsafe(32)}"


def access_settings(port: int, password: str) -> dict[str, str]:
    """The settings of a server on a port that only its own pages and this user's programs use."""
    return {SERVER_AUTH: password, CORS: ",".join(origins(port))}


def profiles_file() -> Path:
    """The file of Prefect's profiles."""
    return Path(os.environ.get("PREFECT_PROFILES_PATH") or prefect_home() / "profiles.toml")


def write_profile(port: int) -> dict[str, str]:
    """Writes the profile of the permanent server, which only this user may read.

    The password of an earlier profile is kept, so that clients need not be restarted.

    Args:
        port: The port of the server.

    Returns:
        The settings in the profile.

    Raises:
        ServerError: The file of profiles cannot be read or written.
    """
    file = profiles_file().resolve()
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        known = tomllib.loads(text).get("profiles", {}).get(PROFILE, {})
        password = os.environ.get(SERVER_AUTH) or known.get(SERVER_AUTH) or new_password()
        settings = {
            URL: f"{origins(port)[0]}/api",
            AUTH: password,
            **access_settings(port, password),
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        others = re.sub(rf"(?ms)^\[profiles\.{PROFILE}\].*?(?=^\[|\Z)", "", text).rstrip()
        profile = "\n".join([f"[profiles.{PROFILE}]", *lines, ""])
        _replace_private(file, f"{others}\n\n{profile}" if others else profile)
    except (OSError, ValueError, AttributeError) as error:
        raise ServerError(
            f"Prefect's profiles {file} cannot be read or written: {reason(error)}. Mend the file, "
            "or move it away."
        ) from None
    return settings


def _replace_private(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(temporary_name(file.name))
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
        beside.replace(file)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def look_up(file: Path, *keys: Any) -> Any:
    """Looks up a value in a TOML file; None if there is none."""
    value: Any = None
    with suppress(OSError, ValueError):  # Prefect reports errors in its files itself.
        value = tomllib.loads(file.read_text(encoding="utf-8"))
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
