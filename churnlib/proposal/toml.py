"""Text of TOML, with comments at the ends of lines."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from churnlib.shown import one_line

WIDTH = 100


class Line(NamedTuple):
    """A setting.

    Attributes:
        key: Its name.
        value: Its value.
        comment: Why it is a guess; empty if it is none.
    """

    key: str
    value: Any
    comment: str = ""


def section(name: str, lines: Sequence[Line], *, blank: bool = True) -> list[str]:
    """The lines of a table of settings; none without settings."""
    if not lines:
        return []
    return [*([""] if blank else []), f"[{name}]", *lines_of(lines)]


def lines_of(lines: Sequence[Line]) -> list[str]:
    """The lines of settings; one with a long list has several."""
    written = []
    for line in lines:
        text = f"{_key(line.key)} = {_value(line.value)}"
        if isinstance(line.value, list) and len(text) > WIDTH:
            items = "".join(f"  {_value(item)},\n" for item in line.value)
            text = f"{_key(line.key)} = [\n{items}]"
        written.append(f"{text}  # {one_line(line.comment)}" if line.comment else text)
    return written


def is_name(name: str) -> bool:
    """Whether settings can name a column so."""
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None and len(name) <= 64


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")


def comments(text: str, more: str = "# ") -> list[str]:
    """Comment lines of a text."""
    lines, line = [], "#"
    for word in one_line(text).split(" "):
        if len(line) + len(word) + 1 > WIDTH and line.strip("# "):
            lines.append(line)
            line = more.rstrip() if more == "# " else more[:-1]
        line += f" {word}"
    return [*lines, line]
