"""Writing a report in all its formats."""

import json
from pathlib import Path

from churnlib.datasets import Dataset, DatasetRef
from churnlib.report.content import Report
from churnlib.report.text import to_text
from churnlib.storage import ref, write_text


def write_report(report: Report, target: Dataset) -> tuple[DatasetRef, ...]:
    """Writes a report as JSON and as text, side by side.

    Args:
        report: What to say.
        target: The JSON file; the others have its name with their own suffix.

    Returns:
        The files, JSON first.
    """
    texts = {
        ".json": json.dumps(report.to_json(), indent=2, default=str) + "\n",
        ".txt": to_text(report),
    }
    places = {suffix: Path(target.uri).with_suffix(suffix) for suffix in texts}
    for suffix, text in texts.items():
        write_text(text, places[suffix])
    return tuple(ref(Dataset(target.name, target.game, str(place))) for place in places.values())
