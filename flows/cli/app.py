"""Every command of `churn`: its name, its options and its help.

What a command does is imported when it is called, after its first line: Prefect, Polars and
scikit-learn take a second to import, the command line itself a tenth of one.
"""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Group, Parameter
from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError

from churnlib.console import exit_on_broken_pipe
from churnlib.errors import ChurnlibError, closest
from flows import FLOWS
from flows.cli.exit_status import DIFFERENT, DONE, USERS_FAULT
from flows.cli.parameters import DataDir, Game, Month, RunOptions


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
    help="Without a command: list the games, the flows and what each last produced.\n\n"
    "Exit status: 0 done, 2 the input or the configuration is at fault, 1 anything else.",
    version=_version,
    default_parameter=Parameter(negative=(), show_default=False),
    group_commands="Other commands",
    help_format="plaintext",
)
FLOW_COMMANDS = Group("Flows", sort_key=0)
MODEL_COMMANDS = Group("Models", sort_key=1)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: The arguments; those of this process if None.

    Returns:
        The exit status; see `flows.cli.exit_status`.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with exit_on_broken_pipe():
            if words:
                words[0] = _command(words[0])
            status = app(
                words, exit_on_error=False, print_error=False, result_action="return_value"
            )
    except CycloptsError as error:
        print(f"error: {_message(error)}", file=sys.stderr)
        return USERS_FAULT
    except ChurnlibError as error:
        print(f"error: {error}", file=sys.stderr)
        return USERS_FAULT
    return status or DONE


def _command(word: str) -> str:
    """Accepts batch_predict, as its module is called, for batch-predict."""
    if word.startswith("-"):
        return word
    name = word.replace("_", "-")
    commands = [command for command in app if not command.startswith("-")]
    if name not in commands:
        raise ChurnlibError(f"there is no command '{word}'. {closest(name, commands)}")
    return name


def _message(error: CycloptsError) -> str:
    if isinstance(error, UnusedCliTokensError):
        return f"unexpected argument: {' '.join(error.unused_tokens or ())}"
    if isinstance(error, MissingArgumentError) and error.argument:
        _, _, suggestion = str(error).partition("requires an argument.")
        need = "needs a value" if error.keyword else "is required"
        return f"{error.keyword or error.argument.name} {need}.{suggestion}"
    return str(error)


@app.default
def overview(*, data_dir: DataDir = None) -> int:
    """List the games, the flows and what each last produced."""
    from flows.cli.overview import print_overview

    return print_overview(app, data_dir)


@app.command(group=FLOW_COMMANDS, sort_key=1)
def run(*, run: RunOptions) -> int:
    """Run all flows for a game: train, back-test, predict a batch, score it, predict the latest."""
    print(f"{run.game}: train, back-test, predict a batch, score it, predict the next", flush=True)
    from flows.cli.session import in_session

    def work() -> None:
        from flows.cli.run_all import run_all

        print(*run_all(run), sep="\n")

    return in_session(run, work)


FromRaw = Annotated[bool, Parameter(help="Build the standard features first.")]
AlwaysFromRaw = Annotated[
    bool, Parameter(help="Has no effect: this flow always starts from the raw tables.")
]


@app.command(group=FLOW_COMMANDS, sort_key=2)
def standard_features(*, run: RunOptions, from_raw: AlwaysFromRaw = False) -> int:
    """Build all features except those of the currency, from the raw tables."""
    return _run_flow("standard_features", run, from_raw)


@app.command(group=FLOW_COMMANDS, sort_key=3)
def train(*, run: RunOptions, from_raw: FromRaw = False) -> int:
    """Train a model on the training window and make it the candidate."""
    return _run_flow("train", run, from_raw)


@app.command(group=FLOW_COMMANDS, sort_key=4)
def score(
    *,
    run: RunOptions,
    from_raw: FromRaw = False,
    model: Annotated[
        str | None,
        Parameter(
            metavar="VERSION",
            help="Back-test this model version, and only report on it. Default: the candidate, "
            "or the champion if there is none.",
        ),
    ] = None,
) -> int:
    """Back-test the candidate against the champion, and promote it if it passes."""
    return _run_flow("score", run, from_raw, model=model)


@app.command(group=FLOW_COMMANDS, sort_key=5)
def batch_predict(
    *,
    run: RunOptions,
    from_raw: AlwaysFromRaw = False,
    model: Annotated[
        str | None,
        Parameter(metavar="VERSION", help="The model version to use. Default: the champion."),
    ] = None,
) -> int:
    """Predict the churn of a month's new subscriptions, from the raw tables."""
    return _run_flow("batch_predict", run, from_raw, model=model)


@app.command(group=FLOW_COMMANDS, sort_key=6)
def batch_score(*, run: RunOptions, from_raw: FromRaw = False) -> int:
    """Score the predictions of an earlier batch, now that its outcomes are known."""
    return _run_flow("batch_score", run, from_raw)


def _run_flow(flow: str, run: RunOptions, from_raw: bool, **more: Any) -> int:
    name = f"{flow}_from_raw" if from_raw and FLOWS[flow].has_composite else flow
    print(f"{name.replace('_', '-')}: {run.game}", flush=True)
    from flows.cli.session import in_session

    def work() -> None:
        getattr(import_module(f"flows.{flow}"), name)(**run.parameters, **more)

    return in_session(run, work)


@app.command(group=FLOW_COMMANDS, sort_key=7)
def backfill(
    *,
    run: RunOptions,
    flow: Annotated[
        Literal["batch-predict", "batch-score", "batch_predict", "batch_score"],
        Parameter(
            metavar="F",
            show_choices=False,
            help="The flow to run: batch-predict or batch-score.",
        ),
    ],
    first: Annotated[
        Month, Parameter(name="--from", help="The first batch, by the month in its file names.")
    ],
    last: Annotated[
        Month, Parameter(name="--to", help="The last batch, by the month in its file names.")
    ],
    from_raw: Annotated[
        bool, Parameter(help="Build the standard features once, before batch-score needs them.")
    ] = False,
) -> int:
    """Run a batch flow for each month of a range; months that are done are skipped."""
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
def replay(
    *,
    game: Game,
    version: Annotated[
        str | None, Parameter(metavar="V", help="The model version. Default: the champion.")
    ] = None,
    data_dir: DataDir = None,
) -> int:
    """Rebuild a model version from its manifest, and compare its predictions with the original's.

    Exit status: 0 equal to the bit, 3 different, 2 the input or the configuration is at fault,
    1 anything else.
    """
    print(f"replay: {game}, {version or 'the champion'}", flush=True)
    from flows.cli.session import in_session

    def work() -> int:
        from flows.replay import replay

        same = replay(game, version, data_dir).is_equal
        return DONE if same else DIFFERENT

    return in_session(RunOptions(game=game, data_dir=data_dir), work)


@app.command(group=MODEL_COMMANDS)
def models(
    *,
    game: Game,
    json: Annotated[bool, Parameter(help="Print JSON, for programs.")] = False,
    data_dir: DataDir = None,
) -> None:
    """List a game's model versions, newest first, with their metrics and history."""
    from flows.cli.models import print_models

    print_models(RunOptions(game=game, data_dir=data_dir), as_json=json)


@app.command(group=MODEL_COMMANDS)
def promote(
    *,
    game: Game,
    version: Annotated[
        str | None, Parameter(metavar="V", help="The model version to make the champion.")
    ] = None,
    back: Annotated[
        bool, Parameter(help="Roll back to the version that was the champion before.")
    ] = False,
    force: Annotated[
        bool,
        Parameter(
            help="Promote a version even if no back-test has accepted it. One that cannot be "
            "opened is always refused."
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a model version the champion by hand, or roll back to the one before.

    Takes either --version or --back.
    """
    from flows.cli.promote import promote

    if (version is None) != back:
        raise ChurnlibError("promote takes either --version or --back.")
    promote(RunOptions(game=game, data_dir=data_dir), version, force=force)


@app.command(name="map")
def draw_map(
    *,
    game: Annotated[
        str | None, Parameter(metavar="G", help="Only this game. Default: all games.")
    ] = None,
    data_dir: DataDir = None,
    out: Annotated[
        str | None,
        Parameter(
            metavar="FILE",
            help="The page. Default: 08_reporting/pipelines.html in the data folder.",
        ),
    ] = None,
) -> None:
    """Draw all flows with their tasks, datasets and current state, as one HTML page."""
    from flows.map.write import write_map

    print(write_map(game, data_dir, out))


@app.command
def schema() -> None:
    """Print the JSON schema of the games' TOML files."""
    from churnlib.settings import settings_schema

    print(settings_schema(), end="")
