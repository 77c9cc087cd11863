"""`python -m flows.models`: lists the versions of a game's model."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from churnlib.console import exit_on_broken_pipe
from flows.cli.arguments import models_parser
from flows.cli.session import by_hand

if TYPE_CHECKING:
    from churnlib.io.catalog import Catalog
    from churnlib.versions.listing import Version

LABEL_WIDTH = 14


@exit_on_broken_pipe()
def main(argv: Sequence[str] | None = None) -> int:
    """Lists the versions.

    Args:
        argv: The arguments; those of this process if null.

    Returns:
        The exit status, as `flows.cli.session.main`.
    """
    args = models_parser().parse_args(argv)

    def work(catalog: "Catalog") -> None:
        from churnlib.versions.listing import describe_versions

        found = describe_versions(catalog)
        if args.json:
            print(json.dumps([version.to_json() for version in found], indent=2))
        else:
            print(*_lines(catalog, found), sep="\n")

    return by_hand(args.game, args.data_dir, work)


def _lines(catalog: "Catalog", found: Sequence["Version"]) -> Iterator[str]:
    if not found:
        from churnlib.io.commands import command_line

        train = command_line("train", catalog.models(), "--from-raw")
        yield f"{catalog.game}: there is no model yet. Train one: {train}"
    for version in found:
        yield f"{version.version}  {version.state}"
        for label, text in _facts(version):
            yield f"  {label:<{LABEL_WIDTH}}{text}"


def _facts(version: "Version") -> Iterator[tuple[str, str]]:
    if version.made:
        yield "made", version.made
    if version.damage or version.window is None:
        yield "damaged", version.damage or ""
        return
    first, last = version.window
    yield "trained", f"as of {version.as_of}, on subscriptions begun {first} to {last}"
    yield "algorithm", version.algorithm or ""
    if version.roc_auc is not None:
        interval = "({:.4f} to {:.4f})".format(*version.roc_auc_ci) if version.roc_auc_ci else ""
        yield "validation", f"ROC AUC {version.roc_auc:.4f} {interval}".rstrip()
    if test := version.back_test:
        value = "not defined" if test.value is None else f"{test.value:.4f}"
        first, last = test.window
        yield "back-test", f"{test.metric} {value}, {first} to {last}, as of {test.as_of}"
    yield from (("lineage", line) for line in version.lineage)


if __name__ == "__main__":
    raise SystemExit(main())
