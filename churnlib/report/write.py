"""Writes a report in all its formats."""

import json
from typing import TYPE_CHECKING

from churnlib.io.datasets import Dataset, DatasetRef, ref
from churnlib.io.storage import write_texts
from churnlib.report.content import Report
from churnlib.report.text import to_text
from churnlib.uris import with_suffix

if TYPE_CHECKING:
    import polars as pl


def write_report(
    report: Report, target: Dataset, scored: "pl.DataFrame | None" = None
) -> tuple[DatasetRef, ...]:
    """Writes a report as JSON, text and HTML side by side, once all are rendered.

    Args:
        report: The report.
        target: The JSON file; the others have the same name with their suffix.
        scored: The rows behind the metrics, for the pictures; see `churnlib.report.html.to_html`.

    Returns:
        The files: JSON, text, HTML.
    """
    from churnlib.report.html import to_html

    texts = {
        ".json": json.dumps(report.to_json(), indent=2, default=str) + "\n",
        ".txt": to_text(report),
        ".html": to_html(report, scored),
    }
    places = {suffix: with_suffix(target.uri, suffix) for suffix in texts}
    write_texts({places[suffix]: text for suffix, text in texts.items()})
    return tuple(ref(Dataset(target.name, target.game, place)) for place in places.values())
