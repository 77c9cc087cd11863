"""The names of the columns of feature tables, of which no two may be equal."""

from collections.abc import Iterator

from churnlib.errors import SettingsError
from churnlib.schemas.columns import LABEL
from churnlib.schemas.outputs import CAMPAIGNS, PREDICTED, cohort_columns, computed_columns
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.spec import FACTS
from churnlib.settings import Settings
from churnlib.settings.fields import repeated


def check_names(settings: Settings) -> None:
    """Checks that no two columns of a game's feature tables and predictions have the same name.

    One of them would replace the other. Features in Python are checked where they are computed.

    Raises:
        SettingsError: Two have; names them, and the sections of the settings to look at.
    """
    if twice := repeated(list(_names(settings))):
        raise SettingsError(
            f"{settings.game}: there would be two columns or features of the name {twice}. Change "
            "one of them: by tables.<name>.rename the name of a raw table's column, by features "
            "that of a ratio or which features there are. docs/tables.md lists the names in use."
        )


def _names(settings: Settings) -> Iterator[str]:
    raw, undated = raw_tables(settings), settings.standard.undated_totals
    leaky = () if undated else raw.subscriptions.of_kind("undated")
    yield from (name for name in raw.subscriptions.columns if name not in leaky)
    yield from raw.characters.of_kind(*FACTS, *(("undated",) if undated else ()))
    yield from (name for name, _ in computed_columns(raw))
    yield from cohort_columns(settings.cohort)
    yield LABEL
    yield from CAMPAIGNS
    yield from PREDICTED
    yield from settings.features.names(raw)
