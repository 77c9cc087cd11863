"""The client of object stores: opening one, and turning its errors into messages."""

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from churnlib.errors import StoreError, reason
from churnlib.shown import has_credentials
from churnlib.uris import check_uri

if TYPE_CHECKING:
    from obstore.store import ObjectStore

MAX_RETRIES, RETRY_TIMEOUT = 5, timedelta(seconds=20)
"""How often a request is retried, and for how long."""
CONNECT_TIMEOUT, READ_TIMEOUT, TIMEOUT = (
    timedelta(seconds=3),
    timedelta(seconds=20),
    timedelta(minutes=10),
)
"""How long a request may take to connect, between two reads, and in total."""

VARIABLES = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}
"""The prefix of the environment variables with a store's address and credentials."""
SIGN_IN = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; where a profile has them: "
    'eval "$(aws configure export-credentials --format env)"'
)


def open_store(uri: str) -> "ObjectStore":
    """Opens the store of a URI, or returns it if it was opened with the same environment.

    Raises:
        StoreError: The client is not installed, a variable is invalid, or the URI is, for example
            because it contains credentials.
    """
    try:
        check_uri(uri)
    except ValueError as error:
        raise StoreError(f"{error}.") from None
    scheme, _, rest = uri.partition("://")
    root = f"{scheme}://{rest.partition('/')[0]}"
    with store_errors(uri):
        return _open(root, tuple(sorted(_environment().items())))


def key_of(uri: str) -> str:
    """Returns the key of an object within its bucket."""
    return uri.partition("://")[2].partition("/")[2]


@lru_cache(maxsize=64)
def _open(root: str, _environment: tuple[tuple[str, str], ...]) -> "ObjectStore":
    from obstore.store import from_url

    options: Any = {  # Their type depends on the scheme.
        "config": _config(root),
        "client_options": {
            "allow_http": True,  # Used where the endpoint's variable says http://.
            "connect_timeout": CONNECT_TIMEOUT,
            "read_timeout": READ_TIMEOUT,
            "timeout": TIMEOUT,
        },
        "retry_config": {"max_retries": MAX_RETRIES, "retry_timeout": RETRY_TIMEOUT},
    }
    return from_url(root, **options)


def polars_options(uri: str) -> Mapping[str, Any]:
    """Returns the arguments with which Polars' readers open an object as this client does."""
    return {
        "storage_options": {**_config(uri), "max_retries": MAX_RETRIES, "aws_allow_http": "true"}
        if uri.startswith("s3:")
        else {"max_retries": MAX_RETRIES},
        "credential_provider": None,
    }


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(tuple(VARIABLES.values()))
    }


def _config(uri: str) -> dict[str, Any]:
    """Reads variables that the client does not read itself, or not under every usual name."""
    if not uri.startswith("s3:"):
        return {}
    variables = _environment()
    endpoint = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL")
    if endpoint and has_credentials(endpoint):
        raise StoreError(
            f"{uri}: the variable AWS_ENDPOINT_URL must not contain a user or password. Set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    if endpoint and not re.match("https?://[^/]", endpoint):
        raise StoreError(
            f"{uri}: the variable AWS_ENDPOINT_URL is {endpoint}, which is not a URL such as "
            "http://127.0.0.1:9000."
        )
    region = variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or "us-east-1"
    return {"aws_region": region, **({"aws_endpoint_url": endpoint} if endpoint else {})}


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turns the client's exceptions in the block into errors that say what to do.

    Raises:
        FileNotFoundError: There is no such object.
        StoreError: Anything else.
    """
    try:
        from obstore.exceptions import BaseError
    except ImportError:
        raise StoreError(
            f"{uri}: the client for object stores is not installed. Install it: "
            "pip install 'churnlib[s3]'"
        ) from None
    try:
        yield
    except FileNotFoundError as error:
        if not _mentions(error, NO_BUCKET):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), uri) from None
        raise store_error(uri, error) from None
    except (BaseError, ValueError) as error:
        raise store_error(uri, error) from None


def store_error(uri: str, error: Exception) -> StoreError:
    """Returns the error to raise for an exception of the client, or of Polars' readers."""
    scheme, _, rest = uri.partition("://")
    error = _with_reason(uri, error)
    details = {
        "bucket": rest.partition("/")[0],
        "endpoint": _config(uri).get("aws_endpoint_url", f"the store of {scheme}://"),
        "variables": VARIABLES[scheme] + "*",
        "sign_in": SIGN_IN if scheme == "s3" else f"Set the variables {VARIABLES[scheme]}*",
        "reason": reason(error),
        "times": _times(error),
    }
    message = next((text for phrases, text in MESSAGES if _mentions(error, phrases)), OTHER)
    return StoreError(f"{uri}: {message.format(**details)}")


def _with_reason(uri: str, error: Exception) -> Exception:
    """Asks once more where a store refused a request for metadata, whose answer has no body.

    Returns:
        The refusal of a list, which names the reason; the given error where listing is allowed.
    """
    import obstore
    from obstore.exceptions import BaseError

    if not (_mentions(error, ("performing HEAD",)) and _mentions(error, NO_REASON)):
        return error
    try:
        next(iter(obstore.list(open_store(uri), key_of(uri) or None)), None)
    except (BaseError, FileNotFoundError, ValueError) as refusal:
        return refusal
    return error


def _times(error: Exception) -> str:
    """The clocks that a store compared, where its answer names both."""
    asked, answered = (
        re.search(f"<{name}>([0-9TZ:.-]+)</{name}>", str(error))
        for name in ("RequestTime", "ServerTime")
    )
    if not (asked and answered):
        return ""
    return f": it is {asked[1]} here and {answered[1]} there"


NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "bucket does not exist")
NO_REASON = ("400 Bad Request: \n", "401 Unauthorized: \n", "403 Forbidden: \n")
"""Refusals of the client whose text ends where the store's answer would follow."""
MESSAGES = (
    (
        NO_BUCKET,
        "there is no bucket '{bucket}' at {endpoint}. Create it, or name another --data-dir.",
    ),
    (  # Without variables, the client requests credentials from addresses that only clouds have.
        (
            *("Missing AccessKeyId", "Missing SecretAccessKey", "/latest/api/token"),
            *("/latest/meta-data", "169.254.169.254", "169.254.170.2", "metadata.google.internal"),
        ),
        "no credentials were found. {sign_in}.",
    ),
    (
        ("RequestTimeTooSkewed", "RequestExpired", "not valid in the specified time frame"),
        "the store refuses requests because the clock of this machine is wrong{times}. Set the "
        "clock, for example by NTP, or renew a signature that has expired.",
    ),
    (
        ("ExpiredToken", "TokenRefreshRequired", "token is expired", "token has expired"),
        "the session token in the variables {variables} has expired. Sign in again. {sign_in}.",
    ),
    (
        ("InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken"),
        "the store does not know the access key or token in the variables {variables}. Check that "
        "they are complete, still valid, and meant for {endpoint}.",
    ),
    (
        ("SignatureDoesNotMatch",),
        "the secret in the variables {variables} does not belong to the access key, or was copied "
        "in part. Set both again. {sign_in}.",
    ),
    (
        ("PermissionDeniedError", "UnauthenticatedError", "403 Forbidden", "401 Unauthorized"),
        "access was denied. The credentials in the variables {variables} must allow to list, "
        "read, write and delete objects there.",
    ),
    (
        ("error sending request", "HTTP error", "timed out", "error decoding response body"),
        "{endpoint} does not answer. Check the network and the variables {variables}.",
    ),
    (
        ("without LOCATION", "PermanentRedirect"),
        "the bucket '{bucket}' is in another region. Name it in AWS_REGION.",
    ),
)
"""Messages that say what to do, by phrases in the client's own messages."""
OTHER = "the request to the store failed ({reason}). Check the variables {variables}."


def _mentions(error: Exception, phrases: Iterable[str]) -> bool:
    text = f"{type(error).__name__} {str(error).partition('Debug source:')[0]}"
    return any(phrase in text for phrase in phrases)
