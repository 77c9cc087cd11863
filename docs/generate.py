"""Writes the pages that follow from the code: `python -m docs.generate`."""

import os
from collections.abc import Iterator
from inspect import formatannotation
from pathlib import Path

from churnlib.io.catalog import LAYERS
from churnlib.schemas.tables import ID_COLUMNS, MARKS, SCHEMAS
from churnlib.settings import describe_settings, list_games, load_settings
from flows.cli.arguments import FLOWS, PARSERS, flow_parser
from flows.engine.events import EVENTS
from flows.map import mermaid
from flows.map.__main__ import map_parser
from flows.map.build import build_graph
from flows.map.page import EXAMPLE_DAY

FOLDER = Path(__file__).parent
GENERATED = "<!-- Written by `make docs` from the code; change it there. -->"

SETTINGS_INTRODUCTION = (
    "Every setting by its path, as a game's TOML file nests it and `--set` takes it. The text",
    '`"null"` unsets a value of a layer below, where the type says `null`.',
    "",
    "An environment variable is `CHURN_` and the path, in any case, with two underscores for each",
    "dot: `CHURN_TRAIN__PIPELINE__MODEL__PARAMS__MAX_ITER=50`. Below `params`, a name that no file",
    "states counts as written, except that one of several letters, all capitals, is put in lower",
    "case: `..._PARAMS__C` is `C`, `..._PARAMS__LEARNING_RATE` is `learning_rate`. An empty",
    "variable counts as unset.",
)

EVENTS_INTRODUCTION = (
    "What runs tell Prefect, for automations to act on; `deployments/automations.py` has some. An",
    "event is told when something has really been made: a task that was taken from the cache tells",
    "nothing. Only a batch that is due is told of by every run that finds it so. Fields are the",
    "event's payload; those that are text are labels of its resource, too, as `churn.game` or",
    "`churn.verdict`, because automations match labels. One label more, `churn.as_deployed`, is",
    "`yes` where the run was of a deployment, on its own data, day and settings, and `no` where",
    "somebody tried something or filled up months.",
)


def pages() -> dict[str, str]:
    """Makes the generated pages, by file name."""
    os.environ["COLUMNS"] = "100"  # argparse wraps to the terminal otherwise.
    return {
        "tables.md": "\n".join(_tables()),
        "settings.md": "\n".join(_settings()),
        "commands.md": "\n".join(_commands()),
        "pipelines.md": "\n".join(_pipelines()),
        "events.md": "\n".join(_events()),
    }


def _tables() -> Iterator[str]:
    yield from (GENERATED, "# Tables", "")
    yield "The folders of the data tree, each with a folder per game:"
    yield ""
    yield from (f"- `{layer}`: {what}" for layer, what in LAYERS.items())
    ids = " and ".join(f"`{column}`" for column in ID_COLUMNS)
    yield from ("", f'With `raw.id_type = "text"`, {ids} are `String` in all tables.')
    for name, schema in SCHEMAS.items():
        yield from ("", f"## {name}", "", f"{(schema.__doc__ or '').strip()} "
                    f"Key: {', '.join(schema.primary_key())}.", "")  # fmt: skip
        yield "| column | type | may be null | meaning |"
        yield "|---|---|---|---|"
        for column, facts in schema.columns().items():
            if column not in MARKS:
                null = "yes" if facts.nullable else ""
                yield f"| {column} | {facts.dtype} | {null} | {facts.description} |"
    yield ""


def _settings() -> Iterator[str]:
    yield from (GENERATED, "# Settings", "")
    yield from SETTINGS_INTRODUCTION
    yield from ("", "```", describe_settings(), "```", "")


def _commands() -> Iterator[str]:
    yield from (GENERATED, "# Command lines")
    for flow in FLOWS:
        usage = flow_parser(flow).format_help().split("\nsettings, for --set:")[0]
        yield from ("", f"## {flow}", "", "```", usage.rstrip(), "```")
    for command, parser in PARSERS.items():
        usage = parser().format_help().split("\nsettings, for --set:")[0]
        yield from ("", f"## {command}", "", "```", usage.rstrip(), "```")
    yield from ("", "## map", "", "```", map_parser().format_help().rstrip(), "```", "")


def _events() -> Iterator[str]:
    yield from (GENERATED, "# Events", "")
    yield from EVENTS_INTRODUCTION
    for event in EVENTS:
        yield from ("", f"## {event.kind}", "", (event.__doc__ or "").strip(), "")
        yield from (f"Resource: `churn.{event.about}.<game>`.", "")
        yield "| field | type | meaning |"
        yield "|---|---|---|"
        for name, field in event.model_fields.items():
            kind = formatannotation(field.annotation).replace("|", "or")
            yield f"| {name} | {kind} | {field.description} |"
    yield ""


def _pipelines() -> Iterator[str]:
    yield from (GENERATED, "# Pipelines", "")
    yield from mermaid.page(build_graph(load_settings(list_games()[0]), EXAMPLE_DAY))


if __name__ == "__main__":
    for file, text in pages().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
