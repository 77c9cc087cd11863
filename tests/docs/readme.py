"""The README, and the example of the library that it shows."""

import re
from pathlib import Path

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def library_example() -> str:
    """The script that the README shows."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    return str(code)


def is_its_figure(printed: str) -> bool:
    """Tells whether the script printed what a model of the first game is worth."""
    return 0.6 < float(printed) < 1
