"""The commands of `churn`: their names, options and help.

The code of a command is imported when it is called, after its first line of output: Prefect, Polars
and scikit-learn take a second to import, and this module a tenth of that.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from churnlib.errors import ChurnlibError
from churnlib.shown import lines
from flows import FLOWS, BaseFlow, find_flow
from flows.cli.exit_status import DIFFERENT, DONE
from flows.cli.parameters import (
    AsJson,
    AsOf,
    BatchFlow,
    CheckPage,
    DataDir,
    FirstMonth,
    FolderOfFiles,
    Force,
    FromRaw,
    Game,
    LastMonth,
    MapFile,
    NewGame,
    OneGame,
    Port,
    PrintOnly,
    Replace,
    RollBack,
    RunOptions,
    SetOptions,
    Version,
    VersionToPromote,
    VersionToReplay,
)


class _ChurnApp(App):
    """Lists every setting in the help of a command that takes `--set`."""

    def help_print(
        self,
        tokens: Annotated[str | Iterable[str] | None, Parameter(show=False)] = None,
        *,
        console: Annotated[Any, Parameter(parse=False)] = None,
    ) -> None:
        """Prints the help, as `App.help_print`."""
        super().help_print(tokens, console=console)
        _, (*_, command), _ = self.parse_commands(tokens)
        if any("--set" in option.names for option in command.assemble_argument_collection()):
            from churnlib.settings import describe_settings

            print(f"\nSettings, for --set:\n{describe_settings()}")


def _version() -> str:
    from importlib.metadata import version

    return version("churnlib")


app = _ChurnApp(
    name="churn",
    help="Without a command: list the games, the flows and the latest output of each.\n\n"
    "Exit status: 0 success, 2 wrong input or configuration, 1 any other error; 128 + the "
    "number of the signal that stopped the command, such as 130 after Ctrl-C.",
    version=_version,
    default_parameter=Parameter(negative=(), show_default=False, allow_repeating=True),
    group_commands="Other commands",
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # `main` says so in a line.
)
FLOW_COMMANDS = Group("Flows", sort_key=0)
MODEL_COMMANDS = Group("Models", sort_key=1)


def commands() -> dict[str, str]:
    """The summary of each command, by name."""
    return {name: app[name].help.splitlines()[0] for name in app if not name.startswith("-")}


@app.default
def overview(*, data_dir: DataDir = None) -> int:
    """List the games, the flows and the latest output of each."""
    from flows.cli.overview import print_overview

    return print_overview(commands(), data_dir)


@app.command(group=FLOW_COMMANDS, sort_key=1)
def run(*, run: RunOptions, replace: Replace = False) -> int:
    """Run all flows for a game: train, back-test, predict a batch, score it, predict the latest."""
    print(f"{run.game}: train, back-test, predict a batch, score it, predict the next", flush=True)
    from flows.cli.session import in_session

    def work() -> None:
        from flows.cli.run_all import run_all

        print(lines("\n".join(run_all(run, replace=replace))))

    return in_session(run, work)


def _flow_command(module: str, flow: BaseFlow) -> Callable[..., int]:
    """Makes the command of a base flow."""
    no_effect = "Has no effect: this flow always starts from the raw tables."
    about = "Build the standard features first." if flow.has_composite else no_effect

    def command(
        *, run: RunOptions, from_raw: Annotated[bool, Parameter(help=about)] = False
    ) -> int:
        return _run_flow(module, run, from_raw)

    def command_with_model(
        *,
        run: RunOptions,
        from_raw: Annotated[bool, Parameter(help=about)] = False,
        model: Annotated[Version, Parameter(help=flow.model)] = None,
    ) -> int:
        return _run_flow(module, run, from_raw, model)

    def command_of_delivery(
        *,
        run: RunOptions,
        from_raw: Annotated[bool, Parameter(help=about)] = False,
        model: Annotated[Version, Parameter(help=flow.model)] = None,
        replace: Replace = False,
    ) -> int:
        return _run_flow(module, run, from_raw, model, replace)

    if flow.is_delivery:
        return command_of_delivery
    return command if flow.model is None else command_with_model


def _run_flow(
    module: str,
    run: RunOptions,
    from_raw: bool,
    model: str | None = None,
    replace: bool = False,
) -> int:
    from_raw = from_raw and FLOWS[module].has_composite
    name = module.replace("_", "-")
    print(f"{name}{'-from-raw' if from_raw else ''}: {run.game}", flush=True)
    from flows.cli.session import in_session

    def work() -> None:
        named: dict[str, Any] = {} if model is None else {"model": model}
        if replace:
            named["replace"] = True
        find_flow(module, from_raw=from_raw)(**run.parameters, **named)

    return in_session(run, work, model=model)


for _place, (_module, _flow) in enumerate(FLOWS.items()):
    app.command(
        _flow_command(_module, _flow),
        name=_module.replace("_", "-"),
        help=_flow.about,
        group=FLOW_COMMANDS,
        sort_key=2 + _place,
    )


@app.command(group=FLOW_COMMANDS, sort_key=2 + len(FLOWS))
def backfill(
    *,
    run: RunOptions,
    flow: BatchFlow,
    first: FirstMonth,
    last: LastMonth,
    from_raw: FromRaw = False,
    replace: Replace = False,
) -> int:
    """Run a batch flow for each month of a range; finished months are skipped.

    With --from-raw, batch-score builds the standard features once, before the first month.
    """
    parameters: dict[str, Any] = {
        **run.parameters,
        "batch_flow": flow,
        "first_month": first,
        "last_month": last,
        "from_raw": from_raw,
        "replace": replace,
    }
    print(f"backfill: {run.game}, {flow.replace('_', '-')}, {first} to {last}", flush=True)
    from flows.cli.session import in_session

    def work() -> None:
        from flows.backfill import backfill

        backfill(**parameters)

    return in_session(run, work)


@app.command(group=MODEL_COMMANDS)
def replay(*, game: Game, version: VersionToReplay = None, data_dir: DataDir = None) -> int:
    """Rebuild a model version from its manifest, and compare its predictions with the original's.

    Exit status: 0 identical predictions, 3 different ones, 2 wrong input or configuration, 1 any
    other error.
    """
    print(f"replay: {game}, {version or 'the champion'}", flush=True)
    from flows.cli.session import in_session

    def work() -> int:
        from flows.replay import replay

        return DONE if replay(game, version, data_dir).is_equal else DIFFERENT

    return in_session(RunOptions(game=game, data_dir=data_dir), work, model=version)


@app.command(group=MODEL_COMMANDS)
def models(*, game: Game, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List a game's model versions, newest first, with their metrics and history."""
    from flows.cli.models import print_models

    print_models(RunOptions(game=game, data_dir=data_dir), as_json=as_json)


@app.command(group=MODEL_COMMANDS)
def promote(
    *,
    game: Game,
    version: VersionToPromote = None,
    roll_back: RollBack = False,
    force: Force = False,
    data_dir: DataDir = None,
) -> None:
    """Make a model version the champion manually, or roll back to the champion before.

    Takes either --version or --back.
    """
    if (version is None) != roll_back:
        raise ChurnlibError("promote takes either --version or --back.")
    from flows.cli.promote import promote

    promote(RunOptions(game=game, data_dir=data_dir), version, force=force)


@app.command
def init_game(name: NewGame, *, folder: FolderOfFiles, print_only: PrintOnly = False) -> None:
    """Propose the file of a new game from a folder of its tables, and say what they lack.

    The files are only read. Each guess has a comment in the proposed file: check these.
    """
    from flows.cli.init_game import init_game

    init_game(name, folder, print_only=print_only)


@app.command
def server(*, port: Port = 4200) -> None:
    """Run a permanent Prefect server on this machine, with its page, until it is interrupted.

    Other programs use it with PREFECT_PROFILE=churn in their environment: the profile has its
    address and its password, which the page asks for.
    """
    from flows.cli.server import run_server

    run_server(port)


@app.command
def check(
    *,
    game: Game,
    as_of: AsOf = None,
    settings: SetOptions = (),
    data_dir: DataDir = None,
    page: CheckPage = None,
) -> int:
    """Read a game's raw data, and tell what they hold and whether a run would accept them.

    Lists tables, columns, odd values, all faults, subscriptions, churn, and which windows fit.
    Writes nothing but the page. Exit status: 0 no run would be refused, 2 a run would be.
    """
    print(f"check: {game}", flush=True)
    from flows.cli.check import check

    run = RunOptions(game=game, as_of=as_of, settings=settings, data_dir=data_dir)
    return check(run, page)


@app.command(name="map")
def draw_map(*, game: OneGame = None, data_dir: DataDir = None, out: MapFile = None) -> None:
    """Draw all flows with their tasks, datasets and current state, as one HTML page."""
    from flows.map.write import write_map

    print(write_map(game, data_dir, out))


@app.command
def schema() -> None:
    """Print the JSON schema of the games' TOML files."""
    from churnlib.settings import settings_schema

    print(settings_schema(), end="")
