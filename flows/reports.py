"""What the flows that report have in common."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from churnlib.datasets import DatasetRef
from flows.engine.cache import run_logger

TEMPLATE = "churnlib/report/report.html.jinja"
"""What a task that writes reports uses besides code."""


def data_faults(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a report says of the raw tables: rows set apart and odd facts, by table."""
    return {
        "quarantined": {name: t["quarantined"] for name, t in tables.items() if "quarantined" in t},
        "odd": {name: t["odd"] for name, t in tables.items() if t.get("odd")},
    }


def show(reports: tuple[DatasetRef, ...]) -> None:
    """Tells a report in the log, also where it was taken from the cache."""
    for report in reports:
        if report.uri.endswith(".txt"):
            text = Path(report.uri).read_text(encoding="utf-8")
            run_logger().info("%s\n\n%s", report.uri, text)
