"""Signatures of manifests, and of task results: who wrote them, where a key says whom to believe.

The digests of a manifest find accidents. Whoever may write to the data folder can replace a model
and its digests; only a signature by a key that they do not have finds that.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from churnlib.errors import SettingsError, reason
from churnlib.settings import SIGNING_KEY_FILE_VARIABLE, SIGNING_KEY_VARIABLE

SIGNATURE = "signature"
"""The field that holds it."""
SHORTEST_KEY = 32
"""The least number of characters of a key."""
ADVICE = "Make one: python -c 'import secrets; print(secrets.token_hex(32))'."


def check_key() -> None:
    """Checks that the key can be used, if there is one.

    Raises:
        SettingsError: It cannot.
    """
    _key()


def signed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Adds the signature to an object of JSON types; without a key, it stays as it is.

    Raises:
        SettingsError: The key cannot be used.
    """
    key = _key()
    return {**content, SIGNATURE: _sign(content, key)} if key else dict(content)


def signature_fault(content: Mapping[str, Any]) -> str | None:
    """What is wrong with the signature of an object; None if it is right, or there is no key.

    Raises:
        SettingsError: The key cannot be used.
    """
    key = _key()
    if key is None:
        return None
    found = content.get(SIGNATURE)
    if found is None:
        return "is not signed"
    if not hmac.compare_digest(str(found).encode(), _sign(content, key).encode()):
        return "was changed after it was signed, or signed with another key"
    return None


def _sign(content: Mapping[str, Any], key: bytes) -> str:
    unsigned = {name: value for name, value in content.items() if name != SIGNATURE}
    text = json.dumps(unsigned, sort_keys=True, separators=(",", ":"))
    return f"hmac-sha256:{hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}"


def _key() -> bytes | None:
    """Reads the key from the environment, or from the file that the environment names."""
    key, file = (
        os.environ.get(name, "").strip()
        for name in (SIGNING_KEY_VARIABLE, SIGNING_KEY_FILE_VARIABLE)
    )
    if key and file:
        raise SettingsError(
            f"both {SIGNING_KEY_VARIABLE} and {SIGNING_KEY_FILE_VARIABLE} are set. Unset one."
        )
    name = SIGNING_KEY_VARIABLE
    if file:
        name = SIGNING_KEY_FILE_VARIABLE
        try:
            key = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise SettingsError(f"{name} = {file} cannot be read: {reason(error)}.") from None
    if not key and not file:
        return None
    if len(key) < SHORTEST_KEY:
        raise SettingsError(f"the key of {name} has fewer than {SHORTEST_KEY} characters. {ADVICE}")
    return key.encode()
