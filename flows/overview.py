"""What there is: games, flows, and what each last produced."""

from collections.abc import Iterator
from datetime import datetime
from glob import escape
from pathlib import Path

from churnlib.errors import SettingsError
from churnlib.settings import Settings, list_games, load_settings
from flows.arguments import BACKFILL, COMPOSITES, FLOWS
from flows.command import DONE, USERS_FAULT

OUTPUTS = {
    "standard_features": "03_primary/{game}/standard_features.parquet",
    "train": "06_models/{game}/*/manifest.json",
    "score": "08_reporting/{game}/score_report.json",
    "batch_predict": "07_model_output/{game}/predictions_*.parquet",
    "batch_score": "08_reporting/{game}/batch_score_report_*.json",
}
"""Where each flow's outcome lies in the data folder."""


def overview(data_dir: str | None = None) -> int:
    """Prints flows and games, each game with the newest output of each flow, or with its fault.

    Args:
        data_dir: The data folder to look at; that of each game's settings if null.

    Returns:
        The exit status: 2 where the settings of a game are at fault, else 0.

    Raises:
        SettingsError: There are no games.
    """
    games = list_games()
    print("flows", *_flows(), sep="\n")
    status = DONE
    for game in games:
        try:
            settings = load_settings(game, {"data_dir": data_dir} if data_dir else None)
        except SettingsError as error:
            fault = str(error).removeprefix(f"{game}: ")
            print(f"\n{game}: error: {fault}")
            status = USERS_FAULT
        else:
            print(f"\n{game}: {settings.description}", *_outcomes(settings), sep="\n")
    return status


def _flows() -> Iterator[str]:
    for flow, what in FLOWS.items():
        yield f"  {flow:<21} {what}"
        if flow in COMPOSITES:
            yield f"  {flow + '_from_raw':<21} The same with --from-raw: standard features first."
    yield f"  {'backfill':<21} {BACKFILL}"


def _outcomes(settings: Settings) -> Iterator[str]:
    for flow, pattern in OUTPUTS.items():
        found = list(Path(settings.data_dir).glob(pattern.format(game=escape(settings.game))))
        yield f"  {flow:<21} {_newest(found)}"


def _newest(files: list[Path]) -> str:
    if not files:
        return "nothing yet"
    newest = max(files, key=lambda file: (file.stat().st_mtime, file.name))
    written = datetime.fromtimestamp(newest.stat().st_mtime)
    shown = newest.parent if newest.name == "manifest.json" else newest
    return f"{written:%Y-%m-%d %H:%M}  {shown.name}"
