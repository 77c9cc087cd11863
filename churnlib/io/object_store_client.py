"""The client of object stores: how one is opened, and its faults in words that tell what to do."""

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from churnlib.errors import StoreError, reason

if TYPE_CHECKING:
    from obstore.store import ObjectStore

RETRIES, PATIENCE = 5, timedelta(seconds=20)
"""How often a request is made again, and for how long at most."""
TO_CONNECT, TO_READ, IN_ALL = timedelta(seconds=3), timedelta(seconds=20), timedelta(minutes=10)
"""How long a request may take to find its server, to hear more of it, and to its end."""

VARIABLES = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}
"""How the variables begin that say where a store is and who may enter."""
SIGN_IN = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; where a profile has them: "
    'eval "$(aws configure export-credentials --format env)"'
)


def open_store(uri: str) -> "ObjectStore":
    """Opens the store that a place lies in; once, as long as the environment is the same.

    Raises:
        StoreError: The client is not installed, or the variables do not do.
    """
    scheme, _, rest = uri.partition("://")
    root = f"{scheme}://{rest.partition('/')[0]}"
    with telling(uri):
        return _open(root, tuple(sorted(_environment().items())))


def key_of(uri: str) -> str:
    """The key of an object in its bucket."""
    return uri.partition("://")[2].partition("/")[2]


@lru_cache(maxsize=64)
def _open(root: str, _environment: tuple[tuple[str, str], ...]) -> "ObjectStore":
    from obstore.store import from_url

    options: Any = {  # Which of its types they are depends on the scheme.
        "config": _config(root),
        "client_options": {
            "allow_http": True,  # Where the endpoint's variable says so.
            "connect_timeout": TO_CONNECT,
            "read_timeout": TO_READ,
            "timeout": IN_ALL,
        },
        "retry_config": {"max_retries": RETRIES, "retry_timeout": PATIENCE},
    }
    return from_url(root, **options)


def polars_options(uri: str) -> Mapping[str, Any]:
    """What Polars' readers must be given to open an object as this client does."""
    return {
        "storage_options": {**_config(uri), "max_retries": RETRIES, "aws_allow_http": "true"}
        if uri.startswith("s3:")
        else {"max_retries": RETRIES},
        "credential_provider": None,
    }


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(tuple(VARIABLES.values()))
    }


def _config(uri: str) -> dict[str, Any]:
    """What the client does not find in the environment by itself, or not by every usual name."""
    if not uri.startswith("s3:"):
        return {}
    known = _environment()
    endpoint = known.get("AWS_ENDPOINT_URL_S3") or known.get("AWS_ENDPOINT_URL")
    if endpoint and not re.match("https?://[^/]", endpoint):
        raise StoreError(
            f"{uri}: the variable AWS_ENDPOINT_URL says {endpoint}, which is no URL as in "
            "http://127.0.0.1:9000."
        )
    region = known.get("AWS_REGION") or known.get("AWS_DEFAULT_REGION") or "us-east-1"
    return {"aws_region": region, **({"aws_endpoint_url": endpoint} if endpoint else {})}


@contextmanager
def telling(uri: str) -> Iterator[None]:
    """Words what the client of a store meets in the block.

    Raises:
        FileNotFoundError: There is no such object.
        StoreError: Anything else.
    """
    try:
        from obstore.exceptions import BaseError
    except ImportError:
        raise StoreError(
            f"{uri}: the client of object stores is not installed. Install it: "
            "pip install 'churnlib[s3]'"
        ) from None
    try:
        yield
    except FileNotFoundError as error:
        if not _names(error, NO_BUCKET):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), uri) from None
        raise fault(uri, error) from None
    except (BaseError, ValueError) as error:
        raise fault(uri, error) from None


def fault(uri: str, error: Exception) -> StoreError:
    """Words a fault of a store, met by its client or by Polars."""
    scheme, _, rest = uri.partition("://")
    facts = {
        "bucket": rest.partition("/")[0],
        "endpoint": _config(uri).get("aws_endpoint_url", f"the store of {scheme}://"),
        "variables": VARIABLES[scheme] + "*",
        "sign_in": SIGN_IN if scheme == "s3" else f"Set the variables {VARIABLES[scheme]}*",
        "reason": reason(error),
    }
    words = next((words for marks, words in FAULTS if _names(error, marks)), OTHER_FAULT)
    return StoreError(f"{uri}: {words.format(**facts)}")


NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "bucket does not exist")
FAULTS = (
    (
        NO_BUCKET,
        "there is no bucket '{bucket}' at {endpoint}. Make it, or name another --data-dir.",
    ),
    (  # Where no variable gives any, they are asked for at addresses that only clouds have.
        (
            *("Missing AccessKeyId", "Missing SecretAccessKey", "/latest/api/token"),
            *("/latest/meta-data", "169.254.169.254", "169.254.170.2", "metadata.google.internal"),
        ),
        "no credentials were found. {sign_in}.",
    ),
    (
        ("PermissionDeniedError", "UnauthenticatedError", "403 Forbidden", "401 Unauthorized"),
        "access was denied. The credentials in the variables {variables} must let objects be "
        "listed, read, written and deleted there.",
    ),
    (
        ("error sending request", "HTTP error", "timed out", "error decoding response body"),
        "{endpoint} does not answer. Check the network and the variables {variables}.",
    ),
    (
        ("without LOCATION", "PermanentRedirect"),
        "the bucket '{bucket}' lies in another region. Name it in AWS_REGION.",
    ),
)
"""By what the client's words for a fault contain, words that tell what to do."""
OTHER_FAULT = "the store did not do as asked ({reason}). Check the variables {variables}."


def _names(error: Exception, marks: Iterable[str]) -> bool:
    text = f"{type(error).__name__} {str(error).partition('Debug source:')[0]}"
    return any(mark in text for mark in marks)
