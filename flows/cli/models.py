"""`churn models`: lists a game's model versions."""

import json
from collections.abc import Iterator, Sequence

from churnlib.io.catalog import Catalog
from churnlib.io.commands import command_line
from churnlib.settings.row_words import WORDS
from churnlib.shown import lines
from churnlib.versions.listing import Version, contact_reasons, describe_versions
from churnlib.versions.registry import contacts_text
from flows.cli.parameters import RunOptions
from flows.cli.session import checked_settings

LABEL_WIDTH = 14


def print_models(run: RunOptions, *, as_json: bool) -> None:
    """Prints a game's model versions, newest first.

    Raises:
        ChurnlibError: The settings are invalid, or the data cannot be read.
    """
    settings = checked_settings(run)
    catalog = Catalog(settings.data_dir, run.game)
    versions = describe_versions(catalog)
    terms = settings.contact_outcomes, settings.campaign.offer
    reasons = contact_reasons(catalog, versions, *terms)
    if as_json:
        listed = [
            {**version.to_json(), "no_contact": reason}
            for version, reason in zip(versions, reasons, strict=True)
        ]
        print(json.dumps(listed, indent=2))
    else:
        print(lines("\n".join(_lines(catalog, versions, reasons))))


def _lines(
    catalog: Catalog, versions: Sequence[Version], reasons: Sequence[str | None]
) -> Iterator[str]:
    if not versions:
        train = command_line("train", catalog.models(), "--from-raw")
        yield f"{catalog.game}: there is no model in {catalog.models().uri} yet. Train one: {train}"
    for version, reason in zip(versions, reasons, strict=True):
        yield f"{version.version}  {version.state}"
        for label, text in (*_facts(version), ("contacts", contacts_text(reason))):
            yield f"  {label:<{LABEL_WIDTH}}{text}"


def _facts(version: Version) -> Iterator[tuple[str, str]]:
    if version.made:
        yield "made", version.made
    if version.damage or version.window is None:
        yield "damaged", version.damage or ""
        return
    trained_on = WORDS[version.grain].within(*version.window)
    yield "trained", f"as of {version.as_of}, on {trained_on}"
    if version.in_use:
        yield "in use", f"fitted on {version.in_use}"
    yield "algorithm", version.algorithm or ""
    if version.roc_auc is not None:
        interval = "({:.4f} to {:.4f})".format(*version.roc_auc_ci) if version.roc_auc_ci else ""
        yield "validation", f"ROC AUC {version.roc_auc:.4f} {interval}".rstrip()
    if test := version.back_test:
        value = "not defined" if test.value is None else f"{test.value:.4f}"
        first, last = test.window
        yield "back-test", f"{test.metric} {value}, {first} to {last}, as of {test.as_of}"
    yield from (("lineage", line) for line in version.lineage)
