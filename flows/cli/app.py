"""The commands of `churn`: their names, options and help.

The code of a command is imported when it is called, after its first line of output: Prefect, Polars
and scikit-learn take a second to import, and this module a tenth of that.
"""

from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from churnlib.errors import ChurnlibError
from flows import FLOWS
from flows.cli.exit_status import DIFFERENT, DONE
from flows.cli.parameters import (
    AlwaysFromRaw,
    AsJson,
    BatchFlow,
    DataDir,
    FirstMonth,
    Force,
    FromRaw,
    Game,
    LastMonth,
    MapFile,
    ModelToPredictBy,
    ModelToScore,
    OneGame,
    RollBack,
    RunOptions,
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
    "Exit status: 0 success, 2 wrong input or configuration, 1 any other error.",
    version=_version,
    default_parameter=Parameter(negative=(), show_default=False, allow_repeating=True),
    group_commands="Other commands",
    help_format="plaintext",
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
def run(*, run: RunOptions) -> int:
    """Run all flows for a game: train, back-test, predict a batch, score it, predict the latest."""
    print(f"{run.game}: train, back-test, predict a batch, score it, predict the next", flush=True)
    from flows.cli.session import in_session

    def work() -> None:
        from flows.cli.run_all import run_all

        print(*run_all(run), sep="\n")

    return in_session(run, work)


@app.command(group=FLOW_COMMANDS, sort_key=2)
def standard_features(*, run: RunOptions, from_raw: AlwaysFromRaw = False) -> int:
    """Build all features except those of the currency, from the raw tables."""
    return _run_flow("standard_features", run, from_raw)


@app.command(group=FLOW_COMMANDS, sort_key=3)
def train(*, run: RunOptions, from_raw: FromRaw = False) -> int:
    """Train a model on the training window and make it the candidate."""
    return _run_flow("train", run, from_raw)


@app.command(group=FLOW_COMMANDS, sort_key=4)
def score(*, run: RunOptions, from_raw: FromRaw = False, model: ModelToScore = None) -> int:
    """Back-test the candidate against the champion, and promote it if it passes."""
    return _run_flow("score", run, from_raw, model=model)


@app.command(group=FLOW_COMMANDS, sort_key=5)
def batch_predict(
    *, run: RunOptions, from_raw: AlwaysFromRaw = False, model: ModelToPredictBy = None
) -> int:
    """Predict the churn of a month's new subscriptions, from the raw tables."""
    return _run_flow("batch_predict", run, from_raw, model=model)


@app.command(group=FLOW_COMMANDS, sort_key=6)
def batch_score(*, run: RunOptions, from_raw: FromRaw = False) -> int:
    """Score the predictions of an earlier batch, now that its outcomes are known."""
    return _run_flow("batch_score", run, from_raw)


def _run_flow(flow: str, run: RunOptions, from_raw: bool, **parameters: Any) -> int:
    name = f"{flow}_from_raw" if from_raw and FLOWS[flow].has_composite else flow
    print(f"{name.replace('_', '-')}: {run.game}", flush=True)
    from flows.cli.session import in_session

    def work() -> None:
        getattr(import_module(f"flows.{flow}"), name)(**run.parameters, **parameters)

    return in_session(run, work)


@app.command(group=FLOW_COMMANDS, sort_key=7)
def backfill(
    *,
    run: RunOptions,
    flow: BatchFlow,
    first: FirstMonth,
    last: LastMonth,
    from_raw: FromRaw = False,
) -> int:
    """Run a batch flow for each month of a range; finished months are skipped.

    With --from-raw, batch-score builds the standard features once, before the first month.
    """
    parameters: dict[str, Any] = {
        **run.parameters,
        "batch_flow": flow.replace("-", "_"),
        "first_month": first,
        "last_month": last,
        "from_raw": from_raw,
    }
    print(f"backfill: {run.game}, {flow}, {first} to {last}", flush=True)
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

    return in_session(RunOptions(game=game, data_dir=data_dir), work)


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
    """Make a model version the champion manually, or roll back to the one before.

    Takes either --version or --back.
    """
    if (version is None) != roll_back:
        raise ChurnlibError("promote takes either --version or --back.")
    from flows.cli.promote import promote

    promote(RunOptions(game=game, data_dir=data_dir), version, force=force)


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
