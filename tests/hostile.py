"""Names that would harm whoever looks at them, and what must not be left of them in outputs."""

import re

NAMES = {
    "terminal": "\x1b[2J\x1b]0;owned\x07elf",
    "c1": "\x9b31melf",
    "direction": "elf\u202etxt.exe\u2066",
    "invisible": "elf\U000e0041\u200fx",
    "html": "<script>alert(1)</script>",
    "attribute": "\" onmouseover='alert(1)",
    "link": "[x](javascript:alert(1))",
    "image": "![x](https://example.com/x.png)",
    "table": "a | b",
    "math": "$\\frac{1}{x_2}$",
    "formula": "=cmd|' /C calc'!A0",
    "fence": "````",
    "command": "::error::owned",
    "template": "{{7*7}}{%raw%}",
    "script": "エルフ 精灵 قزم",
}
"""A name of each kind."""
RAW = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)
"""Characters that no text for people may hold."""
