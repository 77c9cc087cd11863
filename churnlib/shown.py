r"""Text from elsewhere, made fit to be shown to people: in messages, logs, reports and artifacts.

Names and values in data are written by others. Shown as they are, they could move the cursor of a
terminal, reverse the reading direction, add lines to a log, or turn into links and scripts.
"""

import re
from typing import Final

_CONTROLS: Final = re.compile(
    "[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
"""Control characters, marks of direction, line separators, invisible tags, and half characters."""
_IN_PASSWORD = r"(?:[^\s'\"]|['\"](?=[^\s,;)\]}]))*"
"""A password may hold quotes; one at the end of a word ends a URI that stands in quotes."""
_USER_INFO = re.compile(
    rf"\b([A-Za-z][A-Za-z0-9+.-]*://)(?:[^\s/@:'\"]*:{_IN_PASSWORD}|[^\s/@'\"]+)@"
)
_SIGNED = re.compile(
    r"([?&](?:sig|signature|token|key|\w*password|secret|X-(?:Amz|Goog)-(?:Signature|Credential|"
    r"Security-Token))=)[^&\s'\"]+",
    re.IGNORECASE,
)
_MARKDOWN = re.compile(r"[\\`*_|\[\]~$]")


def one_line(text: str) -> str:
    r"""Escapes control characters, also line breaks.

    >>> one_line("elf\x1b[2J\nhuman\u202e")
    'elf\\x1b[2J\\nhuman\\u202e'
    """
    return _CONTROLS.sub(_escape, text)


def lines(text: str) -> str:
    r"""Escapes control characters other than line breaks and tabs, for texts of several lines.

    >>> lines("a\nb\x07")
    'a\nb\\x07'
    """
    return _CONTROLS.sub(lambda found: found[0] if found[0] in "\n\t" else _escape(found), text)


def message(text: str) -> str:
    """Prepares a message of several lines: escapes control characters, and masks secrets.

    >>> message("https://me:secret@host/x")
    'https://***@host/x'
    """
    return masked(lines(text))


def masked(text: str) -> str:
    """Masks user and password in URIs, and signatures and keys in their queries.

    >>> masked("s3://key:a/b@bucket/x az://c/x?sv=1&sig=abc s3://bucket/a@b")
    's3://***@bucket/x az://c/x?sv=1&sig=*** s3://bucket/a@b'
    >>> masked("postgresql://me:it's@host/x?sslpassword=abc 's3://key:a@bucket', me@host")
    "postgresql://***@host/x?sslpassword=*** 's3://***@bucket', me@host"
    """
    return _SIGNED.sub(r"\1***", _USER_INFO.sub(r"\1***@", text))


def has_credentials(uri: str) -> bool:
    """Whether a URI holds a user or password.

    >>> has_credentials("s3://key:secret@bucket/x"), has_credentials("s3://bucket/a@b")
    (True, False)
    """
    return _USER_INFO.match(uri) is not None


def markdown(text: str) -> str:
    r"""Escapes text for Markdown, so that it is neither markup, HTML nor a link.

    >>> markdown("<b> [x](javascript:y) a|b")
    '&lt;b&gt; \\[x\\](javascript:y) a\\|b'
    """
    escaped = _MARKDOWN.sub(r"\\\g<0>", one_line(" ".join(text.split())))
    for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("://", ":&#47;/")):
        escaped = escaped.replace(mark, entity)
    return escaped


def code(text: str) -> str:
    """Writes text as code in Markdown, between more backticks than it holds in a row.

    >>> code("a`b"), code("x")
    ('`` a`b ``', '`x`')
    """
    text = one_line(text)
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"`{text}`"


def _escape(found: "re.Match[str]") -> str:
    return found[0].encode("unicode_escape").decode("ascii")
