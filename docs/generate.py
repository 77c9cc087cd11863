"""Generates the pages that follow from the code: `python -m docs.generate`."""

import re
from collections.abc import Iterator, Mapping
from inspect import formatannotation
from pathlib import Path

import dataframely as dy

from churnlib.io.catalog import LAYERS
from churnlib.metrics.definitions import METRICS
from churnlib.schemas.columns import LABEL
from churnlib.schemas.outputs import CAMPAIGNS, DAYS, all_tables, cohort_columns
from churnlib.schemas.spec import TableSpec
from churnlib.settings import CohortSettings, describe_settings, list_games, load_settings
from docs import data_checks, features, licences
from flows import FLOWS
from flows.cli.app import app, commands
from flows.cli.overview import COMPOSITE
from flows.engine.events import EVENTS
from flows.map import mermaid
from flows.map.build import build_graph
from flows.map.page import EXAMPLE_DAY

FOLDER = Path(__file__).parent
README = FOLDER.parent / "README.md"
GENERATED = "<!-- Written by `make docs` from the code; change it there. -->"

SETTINGS_INTRODUCTION = (
    "All settings by path, as nested in a game's TOML file and as written for `--set`. Names are",
    'case-sensitive. The text `"null"` unsets a value of the layers below, where the type allows',
    "`null`. The defaults are in [`games/base.toml`](../games/base.toml).",
    "",
    "An environment variable is named `CHURN_` and the path in capitals, with two underscores for",
    "each dot: `CHURN_TRAIN__PIPELINE__MODEL__PARAMS__MAX_ITER=50`. It sets the setting that has",
    "these letters. Below `params` are the parameters of estimators, whose case matters: a name in",
    "capitals is that of a parameter in a file, else it is read as in lower case, unless it is a",
    "single letter (`..._PARAMS__C` is `C`); a name in other letters is read as written. An empty",
    "variable counts as unset.",
)

COMMANDS_NOTE = (
    "## As Python modules",
    "",
    "`python -m flows <command>` is the same as `churn <command>`. The flows can also be run as",
    "modules, such as `python -m flows.batch_predict`; so can `flows.backfill`, `flows.replay` and",
    "`flows.map`.",
    "",
)

EVENTS_INTRODUCTION = (
    "The events that runs emit to Prefect, for automations to act on;",
    "`deployments/automations.py` has examples. A run emits an event when it writes something; a",
    "cached result emits none. Only `churn.batch.due`, `churn.batch.missing` and `churn.feed.late`",
    "are emitted by every run that finds one. The fields are the event's payload. Text fields are",
    "also labels of its resource, such as `churn.game` or `churn.verdict`, because automations",
    "match labels. One more label, `churn.as_deployed`, is `yes` if a deployment ran with its own",
    "data, day and settings, and `no` for experiments and backfills.",
)


def pages() -> dict[str, str]:
    """Makes the generated pages, by file name."""
    return {
        "tables.md": "\n".join(_tables()),
        "features.md": "\n".join((GENERATED, *features.page())),
        "data-checks.md": "\n".join((GENERATED, *data_checks.page())),
        "settings.md": "\n".join(_settings()),
        "commands.md": "\n".join(_commands()),
        "pipelines.md": "\n".join(_pipelines()),
        "metrics.md": "\n".join(_metrics()),
        "events.md": "\n".join(_events()),
        "licences.md": "\n".join((GENERATED, "# Licences", "", *licences.page())),
        "../README.md": _readme(),
    }


def _readme() -> str:
    """The README with a current table of flows."""
    before, start, rest = README.read_text(encoding="utf-8").partition("<!-- flows: ")
    comment, end, after = rest.partition("<!-- end of flows -->")
    table = "\n".join([comment.splitlines()[0], "", *_flow_table(), "", ""])
    return f"{before}{start}{table}{end}{after}"


def _flow_table() -> Iterator[str]:
    yield "| flow | command | what it does |"
    yield "|---|---|---|"
    for module, flow in FLOWS.items():
        name = module.replace("_", "-")
        yield f"| `{name}` | `churn {name}` | {flow.about} |"
        if flow.has_composite:
            yield f"| `{name}-from-raw` | `churn {name} --from-raw` | {COMPOSITE} |"
    yield f"| `backfill` | `churn backfill` | {commands()['backfill']} |"


def _tables() -> Iterator[str]:
    yield from (GENERATED, "# Tables", "")
    yield "The folders of the data tree, each with a folder per game:"
    yield ""
    yield from (f"- `{layer}`: {what}" for layer, what in LAYERS.items())
    ids = " and ".join(f"`{column}`" for column in data_checks.STANDARD.ids)
    yield from ("", f'With `raw.id_type = "text"`, {ids} are `String` in all tables.')
    for name, table in all_tables(load_settings("game1", local=False)).items():
        if name == "predictions":
            yield from _cohorts()
        yield from ("", f"## {name}", "", f"{table.description} Key: {', '.join(table.key)}.", "")
        yield from _columns(table.columns)
        if isinstance(table, TableSpec):
            yield from _rules(table)
    yield ""


def _columns(columns: Mapping[str, dy.Column]) -> Iterator[str]:
    yield "| column | type | may be null | meaning |"
    yield "|---|---|---|---|"
    for column, declared in columns.items():
        null = "yes" if declared.nullable else ""
        yield f"| {column} | {declared.dtype} | {null} | {declared.description} |"


def _cohorts() -> Iterator[str]:
    """The columns of feature tables that are neither standard features nor asked for."""
    yield from ("", "## Feature tables", "")
    yield "`04_feature` and `05_model_input`: the standard features, [the features that the game"
    yield "asks for](features.md), and:"
    yield ""
    yield from _columns(DAYS)
    yield from ("", 'With `cohort.grain = "monthly"`, or `cohort.reads_misses`:', "")
    monthly = cohort_columns(CohortSettings(grain="monthly"))
    yield from _columns({name: each for name, each in monthly.items() if name not in DAYS})
    yield from ("", f"Only in windows of training and back-tests, with the label `{LABEL}`:", "")
    yield from _columns(CAMPAIGNS)


def _rules(spec: TableSpec) -> Iterator[str]:
    """What is checked in a raw table."""
    if rules := data_checks.rules_of(spec):
        yield from ("", f"Rules: {'; '.join(rules)}.")
    if warnings := data_checks.warnings_of(spec):
        yield from ("", f"Data warnings: {'; '.join(warnings)}.")


def _settings() -> Iterator[str]:
    yield from (GENERATED, "# Settings", "")
    yield from SETTINGS_INTRODUCTION
    yield from ("", "```", describe_settings(), "```", "")


def _metrics() -> Iterator[str]:
    yield from (GENERATED, "# Metrics", "")
    yield "The metrics of all reports; [how they are judged](evaluation.md). Those with an allowed"
    yield "loss are the choices of `champion.metric`, with the most that is allowed where"
    yield "`champion.max_loss` is null."
    yield ""
    yield "| metric | key in JSON | meaning | better | allowed loss |"
    yield "|---|---|---|---|---|"
    for metric in METRICS.values():
        loss = "" if metric.max_loss is None else metric.max_loss
        cells = (metric.name, f"`{metric.key}`", metric.meaning, metric.better or "", loss)
        yield f"| {' | '.join(map(str, cells))} |"
    yield ""


def _commands() -> Iterator[str]:
    page = app.generate_docs(output_format="markdown").rstrip()
    # Usage lines contain the arguments of this process, `-m docs.generate`.
    yield from (GENERATED, re.sub(r"^(churn [\w-]+) -m \S+", r"\1", page, flags=re.M), "")
    yield from COMMANDS_NOTE


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
