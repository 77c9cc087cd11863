"""`python -m flows.promote`: makes a model version the champion by hand."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from churnlib.console import reader_may_leave
from flows.arguments import promote_parser
from flows.command import by_hand

if TYPE_CHECKING:
    from churnlib.datasets import Catalog
    from churnlib.model.registry import Promotion


@reader_may_leave()
def main(argv: Sequence[str] | None = None) -> int:
    """Promotes a version.

    Args:
        argv: The arguments; those of this process if null.

    Returns:
        The exit status, as `flows.command.main`.
    """
    args = promote_parser().parse_args(argv)
    return by_hand(args.game, args.data_dir, lambda catalog: print(_promote(catalog, args)))


def _promote(catalog: "Catalog", args: argparse.Namespace) -> str:
    from churnlib.model.promotion import promote_by_hand, roll_back
    from churnlib.settings import load_settings

    allow_joblib = load_settings(args.game).train.model_format == "joblib"
    now = datetime.now(UTC)
    made: Promotion | None
    if args.back:
        made = roll_back(catalog, when=now, allow_joblib=allow_joblib)
    else:
        made = promote_by_hand(
            catalog, args.version, when=now, force=args.force, allow_joblib=allow_joblib
        )
    return f"{args.game}: {_told(made, args.version)}"


def _told(made: "Promotion | None", version: str) -> str:
    if made is None:
        return f"model {version} is the champion already; nothing was changed"
    return f"model {made.version} is the champion now; before: {made.previous or 'none'}"


if __name__ == "__main__":
    raise SystemExit(main())
