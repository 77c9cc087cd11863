"""`python -m flows`: what there is and what it last produced; and what concerns all flows."""

import argparse
import sys
from collections.abc import Sequence

from churnlib.console import exit_on_broken_pipe


@exit_on_broken_pipe()
def main(argv: Sequence[str] | None = None) -> int:
    """Runs one of the commands that concern all flows.

    Args:
        argv: The arguments; those of this process if null.

    Returns:
        The exit status, as `flows.cli.session.main`.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command == "run":
        from flows.cli.run_all import run_all

        args.data_dir = args.data_dir or args.listed_dir  # It may stand before `run`, too.
        return run_all(args)
    from churnlib.errors import ChurnlibError

    try:
        if args.command == "schema":
            from churnlib.settings import settings_schema

            print(settings_schema(), end="")
            return 0
        from flows.cli.arguments import absolute
        from flows.cli.overview import overview

        return overview(absolute(args.listed_dir))
    except ChurnlibError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    from flows.cli.arguments import add_data_dir, add_run_arguments

    parser = argparse.ArgumentParser(
        prog="python -m flows",
        description="List games, flows and what each last produced.",
        epilog="A flow has a command line of its own: python -m flows.train --help",
    )
    add_data_dir(parser, dest="listed_dir")
    commands = parser.add_subparsers(dest="command", title="other commands")
    commands.add_parser("schema", help="print the JSON schema of the games' TOML files")
    run = commands.add_parser(
        "run", help="take a game through all flows: train, back-test, predict, score, predict"
    )
    add_run_arguments(run)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
