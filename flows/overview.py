"""What there is: games, flows, and what each last produced."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from churnlib.settings import load_settings
from churnlib.settings.layers import list_games
from flows.command import FLOWS

OUTPUTS = {
    "standard_features": "03_primary/{game}/standard_features.parquet",
    "train": "06_models/{game}/*/manifest.json",
    "score": "08_reporting/{game}/score_report.json",
    "batch_predict": "07_model_output/{game}/predictions_*.parquet",
    "batch_score": "08_reporting/{game}/batch_score_report_*.json",
}
"""Where each flow's outcome lies in the data folder."""


def overview() -> str:
    """Lists games and flows, each with its newest output and when that was written."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "flows"
    for flow, what in FLOWS.items():
        yield f"  {flow:<18} {what}"
    for game in list_games():
        settings = load_settings(game)
        yield ""
        yield f"{game}: {settings.description}"
        for flow, pattern in OUTPUTS.items():
            found = list(Path(settings.data_dir).glob(pattern.format(game=game)))
            yield f"  {flow:<18} {_newest(found)}"


def _newest(files: list[Path]) -> str:
    if not files:
        return "nothing yet"
    newest = max(files, key=lambda file: (file.stat().st_mtime, file.name))
    written = datetime.fromtimestamp(newest.stat().st_mtime)
    shown = newest.parent if newest.name == "manifest.json" else newest
    return f"{written:%Y-%m-%d %H:%M}  {shown.name}"
