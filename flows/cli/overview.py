"""`churn` without a command: the games, the flows, and the latest output of each."""

from collections.abc import Iterator, Mapping

from churnlib.errors import ChurnlibError, ModelError
from churnlib.io.catalog import Catalog
from churnlib.io.storage import list_files
from churnlib.settings import Settings, list_games, load_settings
from churnlib.shown import lines
from churnlib.uris import is_remote, join
from flows import FLOWS
from flows.cli.exit_status import DONE, USERS_FAULT
from flows.cli.latest_output import latest_output

LABEL_WIDTH = 21
COMPOSITE = "The same, after building the standard features."
"""What a flow does with `--from-raw`."""


def print_overview(commands: Mapping[str, str], data_dir: str | None = None) -> int:
    """Prints the commands and the games, each game with the newest output of each flow.

    Without a data folder, it is that of each game's settings.

    Returns:
        The exit status: 2 if the settings of a game are invalid or its data cannot be reached; the
        other games are still printed.

    Raises:
        SettingsError: No game exists.
        DataError: There is no such data folder.
    """
    if data_dir is not None and not is_remote(data_dir):
        Catalog(data_dir, "churn").check_data_dir()
    games = list_games()
    print("commands", *_commands(commands), sep="\n")
    status = DONE
    for game in games:
        try:
            settings = load_settings(game, {"data_dir": data_dir} if data_dir else None)
            outputs = [
                *_outputs(settings),
                *_contacts(settings),
                *_faults(settings, data_dir),
            ]
        except ChurnlibError as error:
            fault = str(error).removeprefix(f"{game}: ")
            print(f"\n{game}: error: {fault}")
            status = USERS_FAULT
        else:
            print(lines("\n".join((f"\n{game}: {settings.description}", *outputs))))
    return status


def _commands(commands: Mapping[str, str]) -> Iterator[str]:
    for name, summary in commands.items():
        yield f"  {name:<{LABEL_WIDTH}} {summary}"
        flow = FLOWS.get(name.replace("-", "_"))
        if flow and flow.has_composite:
            composite = f"{name} --from-raw"
            yield f"  {composite:<{LABEL_WIDTH}} {COMPOSITE}"


def _outputs(settings: Settings) -> Iterator[str]:
    for name, flow in FLOWS.items():
        yield f"  {name.replace('_', '-'):<{LABEL_WIDTH}} {latest_output(settings, flow)}"


def _contacts(settings: Settings) -> Iterator[str]:
    """A line on whether anyone is contacted by the champion, if there is one."""
    if not list_files(join(settings.data_dir, "06_models", settings.game)):
        return
    from churnlib.versions.champion import champion_and_registry
    from churnlib.versions.registry import contacts_text

    catalog = Catalog(settings.data_dir, settings.game)
    try:
        version, registry = champion_and_registry(catalog)
    except ModelError as error:
        text = str(error).removeprefix(f"{settings.game}: ")
    else:
        if version is None:
            return
        reason = registry.why_no_contact(
            version, version, settings.contact_outcomes, settings.campaign.offer
        )
        text = contacts_text(reason)
    yield f"  {'contacts':<{LABEL_WIDTH}} {text}"


def _faults(settings: Settings, data_dir: str | None) -> Iterator[str]:
    """Lines about late tables, and batches that are missing or incomplete, if there are any."""
    if not list_files(join(settings.data_dir, "02_intermediate", settings.game)):
        return
    from flows.cli.data_faults import data_faults

    for label, text in data_faults(settings, data_dir):
        yield f"  {label:<{LABEL_WIDTH}} {text}"
