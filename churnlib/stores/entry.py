"""What a listing of a folder tells of each file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a folder.

    Attributes:
        uri: Where it lies.
        name: Its path from the folder, with slashes.
        size: In bytes.
        written: When, in nanoseconds since 1970; a store tells whole seconds.
    """

    uri: str
    name: str
    size: int
    written: int
