"""Writes the map: every flow with its tasks, its datasets and their current state."""

from churnlib.io.catalog import Catalog
from churnlib.io.storage import write_text
from churnlib.settings import list_games, load_settings
from churnlib.uris import folder_of, join
from flows.map.page import to_html

PAGE = "08_reporting/pipelines.html"
"""The page's default path in the data folder."""


def write_map(game: str | None, data_dir: str | None, out: str | None) -> str:
    """Writes the page; see `churn map`.

    Args:
        game: The game to draw; None for all.
        data_dir: The data folder; None for that of the settings.
        out: The file; None for `PAGE` in the data folder.

    Returns:
        The file.

    Raises:
        DataError: The data folder does not exist.
        SettingsError: The settings of a game are invalid, or the game does not exist.
    """
    games = [game] if game else list_games()
    changes = {} if data_dir is None else {"data_dir": data_dir}
    catalogs = [Catalog(load_settings(name, changes).data_dir, name) for name in games]
    for catalog in catalogs:
        catalog.check_data_dir()
    target = out or join(catalogs[0].data_dir, PAGE)
    html = to_html(dict.fromkeys(games, data_dir), folder_of(target))
    write_text(html, target)
    return target
