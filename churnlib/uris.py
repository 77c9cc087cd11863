"""Places of data as text: paths on this machine, and URIs of object stores. Nothing is read."""

from pathlib import Path

SCHEMES = {"s3": "s3://bucket/folder", "gs": "gs://bucket/folder", "az": "az://container/folder"}
"""The object stores that data may lie in, and how a place in each is written."""


def is_remote(uri: str) -> bool:
    """Tells whether a place is a URI, not a path on this machine.

    >>> is_remote("s3://bucket/data"), is_remote("/mnt/data")
    (True, False)
    """
    return "://" in uri


def fault(uri: str) -> str | None:
    """Tells what is wrong with a URI as a place for data; null where nothing is.

    >>> fault("s3://bucket"), fault("s3:///data")
    (None, "'s3:///data' names no bucket")
    """
    scheme, _, rest = uri.partition("://")
    if scheme not in SCHEMES:
        return f"'{uri}' is neither a folder nor one of {', '.join(SCHEMES.values())}"
    return None if rest.partition("/")[0] else f"'{uri}' names no bucket"


def join(uri: str, *parts: str) -> str:
    """Puts names under a place.

    >>> join("s3://bucket/data/", "03_primary", "x.parquet"), join("/mnt/data", "x.parquet")
    ('s3://bucket/data/03_primary/x.parquet', '/mnt/data/x.parquet')
    """
    if not is_remote(uri):
        return str(Path(uri, *parts))
    return "/".join((uri.rstrip("/"), *(part for part in parts if part)))


def name_of(uri: str) -> str:
    """The last name of a place.

    >>> name_of("s3://bucket/data/x.parquet"), name_of("/mnt/data/x.parquet")
    ('x.parquet', 'x.parquet')
    """
    return _parts(uri)[1] if is_remote(uri) else Path(uri).name


def folder_of(uri: str) -> str:
    """The place that a place lies in; of a bucket, or of the root, itself.

    >>> folder_of("s3://bucket/data/x.parquet"), folder_of("s3://bucket")
    ('s3://bucket/data', 's3://bucket')
    """
    return _parts(uri)[0] if is_remote(uri) else str(Path(uri).parent)


def with_suffix(uri: str, suffix: str) -> str:
    """The file beside another that has its name with a suffix of its own.

    >>> with_suffix("s3://bucket/data/x.json", ".html")
    's3://bucket/data/x.html'
    """
    return join(folder_of(uri), str(Path(name_of(uri)).with_suffix(suffix)))


def _parts(uri: str) -> tuple[str, str]:
    scheme, _, rest = uri.partition("://")
    folder, slash, name = rest.rstrip("/").rpartition("/")
    return (f"{scheme}://{folder}", name) if slash else (uri, "")
