"""The README and its example of the library."""

import re
from pathlib import Path

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def library_example() -> str:
    """The script that the README shows."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    return str(code)


def is_its_figure(printed: str) -> bool:
    """Returns whether the script printed a ROC AUC that is plausible, and its interval."""
    auc, low, high = map(float, re.findall(r"[\d.]+\d", printed))
    return 0.6 < auc < 1 and low < auc < high
