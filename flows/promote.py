"""`python -m flows.promote`: makes a model version the champion by hand."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from churnlib.console import exit_on_broken_pipe
from flows.cli.arguments import promote_parser
from flows.cli.session import by_hand

if TYPE_CHECKING:
    from churnlib.io.catalog import Catalog
    from churnlib.settings import Settings
    from churnlib.versions.registry import Promotion


@exit_on_broken_pipe()
def main(argv: Sequence[str] | None = None) -> int:
    """Promotes a version.

    Args:
        argv: The arguments; those of this process if null.

    Returns:
        The exit status, as `flows.cli.session.main`.
    """
    args = promote_parser().parse_args(argv)
    return by_hand(args.game, args.data_dir, lambda catalog: print(_promote(catalog, args)))


def _promote(catalog: "Catalog", args: argparse.Namespace) -> str:
    from churnlib.settings import load_settings
    from churnlib.versions.promotion import promote_manually, roll_back

    settings = load_settings(args.game)
    allow_joblib = settings.train.model_format == "joblib"
    now = datetime.now(UTC)
    made: Promotion | None
    if args.back:
        made = roll_back(catalog, when=now, allow_joblib=allow_joblib)
    else:
        made = promote_manually(
            catalog, args.version, when=now, force=args.force, allow_joblib=allow_joblib
        )
    version = made.version if made else args.version
    if warning := _misfit(catalog, version, settings):
        print(f"warning: {args.game}: {warning}", file=sys.stderr)
    return f"{args.game}: {_told(made, args.version)}"


def _misfit(catalog: "Catalog", version: str, settings: "Settings") -> str | None:
    """What will happen where the new champion is not of the game's settings."""
    from churnlib.io.commands import command_line
    from churnlib.versions.compatibility import changed_features
    from churnlib.versions.manifest import read_manifest

    model = catalog.model(version)
    changed = changed_features(read_manifest(model), settings)
    if changed is None:
        return None
    back = command_line("promote", model, "--back")
    train = command_line("train", model, "--from-raw")
    return (
        f"model {version} was trained on other features than the game's settings ask for: "
        f"{changed}. score and batch-predict will refuse it, with exit status 2, until these "
        f"settings are what they were. Set them back; or roll back: {back}; or train another: "
        f"{train}"
    )


def _told(made: "Promotion | None", version: str) -> str:
    if made is None:
        return f"model {version} is the champion already; nothing was changed"
    return f"model {made.version} is the champion now; before: {made.previous or 'none'}"


if __name__ == "__main__":
    raise SystemExit(main())
