"""Paths of this machine and URIs of object stores, as text. Nothing is read.

This module is below the settings, because `data_dir` is a setting that may be either.
"""

import re
from pathlib import Path

SCHEMES = {"s3": "s3://bucket/folder", "gs": "gs://bucket/folder", "az": "az://container/folder"}
"""The supported object stores, with an example of a URI."""


def is_remote(uri: str) -> bool:
    """Whether a location is a URI, not a path on this machine.

    >>> is_remote("s3://bucket/data"), is_remote("/mnt/data")
    (True, False)
    """
    return "://" in uri


def is_pattern(uri: str) -> bool:
    """Whether a location is a pattern of files, in which `*` stands for any part of a name.

    >>> is_pattern("s3://bucket/logins/*.csv.gz"), is_pattern("/mnt/logins")
    (True, False)
    """
    return "*" in uri


def split_pattern(uri: str) -> tuple[str, re.Pattern[str]]:
    """Splits a pattern into the folder before its first `*`, and what the names there must match.

    >>> folder, names = split_pattern("/mnt/day=*/a-*.csv")
    >>> folder, bool(names.fullmatch("day=1/a-0.csv")), bool(names.fullmatch("day=1/x/a-0.csv"))
    ('/mnt', True, False)
    """
    names = uri.split("/")
    first = next(place for place, name in enumerate(names) if "*" in name)
    rest = "/".join("[^/]*".join(map(re.escape, name.split("*"))) for name in names[first:])
    return "/".join(names[:first]) or ("/" if first else "."), re.compile(rest)


def check_uri(uri: str) -> None:
    """Checks a URI for data.

    Raises:
        ValueError: Its scheme is not supported, it has no bucket, or it contains credentials.

    >>> check_uri("s3:///data")
    Traceback (most recent call last):
    ValueError: 's3:///data' names no bucket
    """
    scheme, _, rest = uri.partition("://")
    if scheme not in SCHEMES:
        raise ValueError(f"'{uri}' is neither a folder nor one of {', '.join(SCHEMES.values())}")
    if not rest.partition("/")[0]:
        raise ValueError(f"'{uri}' names no bucket")
    if any(mark in rest.partition("/")[0] for mark in "@:"):
        raise ValueError(
            f"'{scheme}://***' must not contain a user or password, which would be shown in logs; "
            "set the credentials in the environment"
        )


def join(uri: str, *parts: str) -> str:
    """Appends names to a path or URI.

    >>> join("s3://bucket/data/", "03_primary", "x.parquet"), join("/mnt/data", "x.parquet")
    ('s3://bucket/data/03_primary/x.parquet', '/mnt/data/x.parquet')
    """
    if not is_remote(uri):
        return str(Path(uri, *parts))
    return "/".join((uri.rstrip("/"), *(part for part in parts if part)))


def name_of(uri: str) -> str:
    """Returns the last name of a path or URI.

    >>> name_of("s3://bucket/data/x.parquet"), name_of("/mnt/data/x.parquet")
    ('x.parquet', 'x.parquet')
    """
    return _parts(uri)[1] if is_remote(uri) else Path(uri).name


def folder_of(uri: str) -> str:
    """Returns the folder that contains a path or URI; a bucket, or the root, contains itself.

    >>> folder_of("s3://bucket/data/x.parquet"), folder_of("s3://bucket")
    ('s3://bucket/data', 's3://bucket')
    """
    return _parts(uri)[0] if is_remote(uri) else str(Path(uri).parent)


def with_suffix(uri: str, suffix: str) -> str:
    """Replaces the suffix of a path or URI.

    >>> with_suffix("s3://bucket/data/x.json", ".html")
    's3://bucket/data/x.html'
    """
    return join(folder_of(uri), str(Path(name_of(uri)).with_suffix(suffix)))


def _parts(uri: str) -> tuple[str, str]:
    scheme, _, rest = uri.partition("://")
    folder, slash, name = rest.rstrip("/").rpartition("/")
    return (f"{scheme}://{folder}", name) if slash else (uri, "")
