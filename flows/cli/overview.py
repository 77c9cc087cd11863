"""What there is: games, flows, and what each last produced."""

from collections.abc import Iterator
from datetime import datetime
from fnmatch import fnmatchcase

from churnlib.errors import SettingsError, StoreError
from churnlib.io.local import Entry
from churnlib.io.storage import list_files
from churnlib.settings import Settings, list_games, load_settings
from churnlib.uris import join
from flows.cli.arguments import BESIDE, COMPOSITES, FLOWS
from flows.cli.session import DONE, USERS_FAULT

OUTPUTS = {
    "standard_features": ("03_primary", "standard_features.parquet"),
    "train": ("06_models", "[!.]*/manifest.json"),
    "score": ("08_reporting", "score_report.json"),
    "batch_predict": ("07_model_output", "predictions_*.parquet"),
    "batch_score": ("08_reporting", "batch_score_report_*.json"),
}
"""Where each flow's outcome lies in the data folder: the layer, and its name in the game's."""


def overview(data_dir: str | None = None) -> int:
    """Prints flows and games, each game with the newest output of each flow, or with its fault.

    Args:
        data_dir: The data folder to look at; that of each game's settings if null.

    Returns:
        The exit status: 2 where a game's settings, or the store of its data, are at fault, else 0.

    Raises:
        SettingsError: There are no games.
    """
    games = list_games()
    print("flows", *_flows(), sep="\n")
    status = DONE
    for game in games:
        try:
            settings = load_settings(game, {"data_dir": data_dir} if data_dir else None)
            outcomes = list(_outcomes(settings))
        except (SettingsError, StoreError) as error:
            fault = str(error).removeprefix(f"{game}: ")
            print(f"\n{game}: error: {fault}")
            status = USERS_FAULT
        else:
            print(f"\n{game}: {settings.description}", *outcomes, sep="\n")
    return status


def _flows() -> Iterator[str]:
    for flow, what in FLOWS.items():
        yield f"  {flow:<21} {what}"
        if flow in COMPOSITES:
            yield f"  {flow + '_from_raw':<21} The same with --from-raw: standard features first."
    yield from (f"  {name:<21} {what}" for name, what in BESIDE.items())


def _outcomes(settings: Settings) -> Iterator[str]:
    for flow, (layer, pattern) in OUTPUTS.items():
        folder = join(settings.data_dir, layer, settings.game)
        found = [file for file in list_files(folder) if fnmatchcase(file.name, pattern)]
        yield f"  {flow:<21} {_newest(found)}"


def _newest(files: list[Entry]) -> str:
    if not files:
        return "nothing yet"
    newest = max(files, key=lambda file: (file.written, file.name))
    written = datetime.fromtimestamp(newest.written / 1e9)
    return f"{written:%Y-%m-%d %H:%M}  {newest.name.removesuffix('/manifest.json')}"
