"""`python -m flows.map`: draws the pipelines, with what stands there now."""

import argparse
import sys
from collections.abc import Sequence

from churnlib.console import exit_on_broken_pipe
from flows.cli.arguments import absolute, add_data_dir
from flows.cli.session import DONE, USERS_FAULT

PAGE = "08_reporting/pipelines.html"
"""Where the page goes in the data folder."""


@exit_on_broken_pipe()
def main(argv: Sequence[str] | None = None) -> int:
    """Writes the page.

    Args:
        argv: The arguments; those of this process if null.

    Returns:
        The exit status, as `flows.cli.session.main`.
    """
    args = map_parser().parse_args(argv)
    from churnlib.errors import ChurnlibError

    try:
        out = _write(args.game, absolute(args.data_dir), args.out)
    except ChurnlibError as error:
        print(f"error: {error}", file=sys.stderr)
        return USERS_FAULT
    print(out)
    return DONE


def map_parser() -> argparse.ArgumentParser:
    """Makes the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m flows.map",
        description="Draw every flow with its tasks and datasets, and what stands there now, as a "
        "page for browsers that needs no other file.",
    )
    parser.add_argument("--game", metavar="G", help="only this game, a file in games/")
    add_data_dir(parser)
    parser.add_argument(
        "--out", metavar="FILE", help=f"the page (default: {PAGE} in the data folder)"
    )
    return parser


def _write(game: str | None, data_dir: str | None, out: str | None) -> str:
    from churnlib.errors import DataError
    from churnlib.io.storage import check_reachable, is_folder, write_text
    from churnlib.settings import list_games, load_settings
    from churnlib.uris import folder_of, join
    from flows.map.page import to_html

    games = [game] if game else list_games()
    changes = {} if data_dir is None else {"data_dir": data_dir}
    places = [load_settings(name, changes).data_dir for name in games]
    for place in places:
        check_reachable(place)
    if missing := [place for place in places if not is_folder(place)]:
        raise DataError(
            f"there is no data folder {missing[0]}. Make it, or name another with --data-dir."
        )
    target = out or join(places[0], PAGE)
    html = to_html(dict.fromkeys(games, data_dir), folder_of(target))
    write_text(html, target)
    return target


if __name__ == "__main__":
    raise SystemExit(main())
