"""The page on what a run refuses, warns of and counts, from the records of the checks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import get_args

from churnlib.features.loyal_cohorts import MAX_RATIO
from churnlib.model.feature_schema import LARGEST
from churnlib.raw.copies import COPIES
from churnlib.raw.file_format import FORMATS
from churnlib.raw.quality_warnings import LATER, PLAUSIBLE
from churnlib.report.content import MAX_NOT_PREDICTED
from churnlib.schemas.kinds import MOST_MONTHS
from churnlib.schemas.raw_tables import raw_tables
from churnlib.schemas.rule_texts import rule_texts, type_text
from churnlib.schemas.spec import ColumnKind, TableSpec, column
from churnlib.settings import load_settings
from churnlib.settings.tables import TableKind
from flows.steps.absent_history import MOST_ABSENT
from flows.steps.doubtful_tables import MANY
from flows.steps.feeds import BATCH_FEEDS, LABEL_FEEDS
from flows.steps.run_warnings import MOST_BEYOND

INTRODUCTION = (
    "What a run does about data that are not as they should be, by kind:",
    "",
    "- **Refused**: the run stops with exit status 2 and a message that says what is wrong, where,",
    "  and what to do. What earlier runs have written [stays](#what-a-refused-run-leaves).",
    "- **Warned of**: the log says so, and so do the reports that it concerns, under `warnings` in",
    "  their JSON.",
    "- **Counted**: the log and the reports have the number. In their JSON, `data.odd` holds the",
    "  rows of a raw table with each data warning, and `data.quarantined` those left out.",
    "",
    "What is neither refused nor left out is used.",
)

REFUSED = (
    "A run checks all its raw tables before it replaces anything: one that is refused for a row, a",
    "late table, or a window without subscriptions leaves every file as it was.",
    "",
    "Then it replaces layer after layer, each file whole: checked tables (`02`), standard features",
    "(`03`, with their sources), features (`04`, `05`), and at the end models (`06`), predictions",
    "(`07`) and reports (`08`). A run that is refused in between, such as a training whose window",
    "has one outcome only, leaves the first of these new, and those from models on as they were.",
    "Nothing mixes: what is new is right by itself, the same as `standard-features` builds. Each",
    "flow checks the content, day and settings of what it reads, and builds again what differs. A",
    "model predicts only from features built as in its training.",
)
"""What a refused run leaves, and why that is harmless."""


NOT_FOUND = (
    "Some faults leave tables that look like those of a healthy game:",
    "",
    "- **Misses lost at random.** If half of them are lost in all months, misses are half as",
    "  frequent, as they may well be. From some month on, such a loss is found only if clearly",
    "  more than half of the rows are missing.",
    "- **Churners purged from an export.** If all of them are, no label is positive, and training",
    "  is refused. If those of long ago are, older cohorts churn far less than newer ones, which",
    "  is warned of. If half of them are, or only those before the training window, it is not.",
    "- **Subscriptions that replace others.** An upgrade is counted only if the newer subscription",
    "  belongs to the same character.",
    "- **Another unit from the first row on**, such as cents, or terms in days if none is of more",
    f"  than {MOST_MONTHS}: only a change of it is warned of.",
    "- **Columns or categories that are exchanged for others**, such as the two balances, unless",
    "  their numbers then lie beyond those of training.",
    "- **Other characters under the same ids**, as in a table of another game or after ids were",
    f"  given anew, unless their dates contradict each other in at least {MANY:.0%} of the rows.",
    "- **Everything twice**, characters included, under new ids: intervals are then too narrow.",
    "- **The last months filled with the values of the month before.**",
    "- **Balances of the end of a month** under its first day: features then know the future.",
    "- **Starts of subscriptions that a time zone moved by a day**, if the file has only days.",
    "",
    "Lost rows are [measured](../benchmarks/RESULTS.md#lost-rows), on sample data. To be sure,",
    "compare the rows of each month with the source of the tables.",
)

STANDARD = raw_tables(load_settings("game1", local=False))
"""The raw tables that base.toml declares."""


@dataclass(frozen=True)
class Check:
    """Something that may be wrong with data, and what a run does about it.

    Attributes:
        found: What may be wrong.
        refused: When it is refused; empty if it is not.
        warned: When a run warns of it, or only says so.
        counted: What is counted.
        settings: The settings that change this.
    """

    found: str
    refused: str = ""
    warned: str = ""
    counted: str = ""
    settings: tuple[str, ...] = ()


def _files() -> Iterator[Check]:
    names = ", ".join(dict.fromkeys(each.name.removeprefix("is ") for each in FORMATS))
    yield Check("a raw table is missing, exists twice, or is a pipe, socket or device", "always")
    yield Check("a file is empty, without even a header", "always")
    found = f"a file is of another format, by its first bytes: {names}, an HTML or XML page"
    yield Check(found, "always")
    yield Check("the suffix says CSV and the file is Parquet, or the reverse", "always")
    yield Check("a file is compressed in another way than its suffix says, or cut", "always")
    yield Check(
        "text is not of its encoding, which is UTF-8 unless the settings name another, by line",
        "always",
        settings=("tables.<name>.encoding",),
    )
    yield Check("lines end in CR only, or the first line is `sep=;`", "always")
    yield Check("quotes that do not close, or join lines, by line and column", "always")
    yield Check(
        "a folder or pattern has no parts, parts of two formats, or a folder other files", "always"
    )
    yield Check(
        "a column is missing in any part, there are two of its name, or two become one",
        "always",
        settings=("tables.<name>.rename",),
    )
    yield Check("a column that no table declares", counted="all rows of its table")


def _rows() -> Iterator[Check]:
    invalid = "unless quarantined"
    counted = "quarantined rows"
    settings = ("raw.on_bad_rows", "raw.max_bad_share")
    types = {type_text(column(kind, "").dtype) for kind in get_args(ColumnKind)}
    rules = (
        "a line has more or fewer fields than the header",
        *(f"a value {text}, and is not" for text in sorted(types)),
        "a time is a number since 1970; the message says in which unit",
        "a value is null where the column may not be",
        "text has a line break",
        "two rows share a key and differ",
        "a row breaks [a rule of its table](#by-table)",
    )
    yield from (Check(rule, invalid, counted=counted, settings=settings) for rule in rules)
    yield Check(
        "a category is not on its closed list", invalid, "", counted, (*settings, "raw.categories")
    )
    yield Check(
        "a number has marks between thousands, a comma for the decimal point, or a unit: "
        "`1.234,5`, `1 234`, `12 EUR`; the message says what it seems to mean",
        invalid,
        "",
        counted,
        (*settings, "tables.<name>.decimal"),
    )
    yield Check(
        "a column has fractions of three digits only and no number from 1,000 on, as if points "
        "stood between thousands: `1.234` is read as a fraction",
        counted="rows with a fraction",
    )
    yield Check(
        "values of a category differ only in letter case, blanks or encoding: each stays a value "
        "of its own, also where rare values are pooled",
        counted="rows of the rarer spellings",
        settings=("raw.categories",),
    )
    yield Check("text has blanks at its ends: it is trimmed")
    yield Check("a cell holds a word that means null: it is null", settings=("raw.null_values",))
    yield Check(
        "a cell is null, and its column has a value for that", settings=("tables.<name>.fill",)
    )
    yield Check(
        "a time has a zone: it is given in that of the settings, or keeps its own wall time",
        settings=("tables.<name>.time_zone",),
    )
    yield Check('a day means "no date": it is null', settings=("raw.no_date",))
    yield Check(COPIES, counted="the copies")
    before, after = (day.year for day in PLAUSIBLE)
    yield Check(
        f"at least {MANY:.0%} of the rows of a table have a data warning that puts all of them in "
        "doubt, such as misses before their subscription; the message says why",
        warned="always",
        counted="rows",
    )
    yield Check(f"a day is before {before} or after {after}", counted="rows")
    yield Check("a value is implausible; see [data warnings](#by-table)", counted="rows")
    yield Check(f"a feature is beyond {LARGEST:g}: the model takes that number")


def _references() -> Iterator[Check]:
    settings = ("raw.on_bad_rows", "raw.max_bad_share")
    for spec in STANDARD.values():
        if spec.parent is None:
            continue
        found = f"a row of {spec.name} refers to no known row of {spec.parent.table}"
        if spec.required_parent:
            kept = ("raw.unknown_parent",) if spec.kind == "subscriptions" else ()
            unless = "unless kept or quarantined" if kept else "unless quarantined"
            yield Check(found, unless, "", "quarantined or kept rows", (*settings, *kept))
        else:
            share = "above a share of the rows"
            yield Check(found, share, "", "rows", ("raw.max_unknown_share",))
    yield Check(
        "ids match in another form only, such as 000001 and 1; the message says so",
        "as above",
        settings=("raw.id_type",),
    )
    yield Check("the table that rows refer to has no rows", "always")


def _time() -> Iterator[Check]:
    yield Check(
        f"rows {LATER}",
        "",
        "if the day follows from the data",
        "rows",
        ("raw.arrived_share", "as_of"),
    )
    for flows, kinds in (
        ("`standard-features`, `train`, `score` and `batch-score`", LABEL_FEEDS),
        ("`batch-predict`", BATCH_FEEDS),
    ):
        yield Check(
            f"the last months of {_names(kinds)} hold far fewer rows than those before",
            f"by {flows}",
            'with `"warn"`, and by other flows',
            settings=("raw.on_late",),
        )
    yield Check(
        "months of a table hold far fewer rows than those before and after", warned="always"
    )
    yield Check(
        f"more than {MOST_ABSENT:.0%} of a window's subscriptions have no row of a history, "
        "although their characters are not new",
        warned="by `train` and `score`",
    )
    yield Check("no new month has arrived since the last batch", warned="by `batch-predict`")
    yield Check(
        "raw tables have changed since the standard features were built",
        warned="by `train`, `score` and `batch-score`",
    )
    yield Check("standard features were built for an earlier day or with other settings", "always")


def _windows() -> Iterator[Check]:
    yield Check("a window selects no subscription", "always")
    yield Check(
        "all known labels of `windows.train` are equal; the message names a window", "always"
    )
    yield Check(
        "training labels become known only after the scoring window opens",
        "unless allowed",
        "if allowed",
        settings=("allow_label_overlap",),
    )
    yield Check(
        "a model has learnt labels from after the day of a batch, and has no earlier model in use",
        "unless allowed",
        "if allowed",
        settings=("allow_label_overlap",),
    )
    yield Check(
        f"older cohorts churned at less than {MAX_RATIO:.0%} of the rate of newer ones, as if "
        "those who churned had been removed",
        warned="by all flows that need labels",
    )
    yield Check(
        "a missed subscription that a newer one of its character seems to replace, begun in the "
        "months of the miss or the month before: it may churn",
        counted="misses",
    )
    yield Check("a miss goes on after the term of its subscription: it may churn", counted="misses")
    yield Check("a label is not available yet: left out of metrics", counted="`immature`")
    yield Check(
        "a subscription is too short to churn: it is neither trained on, scored nor predicted",
        "",
        "with its number",
        "`not_at_risk`",
        ("outcome.missed_months", "outcome.not_renewed_months"),
    )
    yield Check(
        "`windows.batch_predict` ends after the day of the run", warned="by `batch-predict`"
    )


def _models() -> Iterator[Check]:
    yield Check(
        "the champion cannot be fitted on all known labels, or has not been since it was promoted "
        "manually: batches are predicted by the model in use before it, or as tested",
        warned="by `train`, `score` and `batch-predict`",
        settings=("train.in_use",),
    )
    yield Check(
        "a category has too many values: rare ones are pooled",
        counted="values and rows pooled",
        settings=("train.max_categories",),
    )
    yield Check(
        "a category did not occur in training",
        warned="with the rows, and with the spelling that training knows, if there is one",
    )
    yield Check("far more rows than in training have a rare category", warned="with the rows")
    found = f"more than {MOST_BEYOND:.0%} of the rows have a number beyond all of training"
    yield Check(found, warned="with the rows")
    yield Check(
        "a number is ten times as great, or a tenth, in all months of `windows.train` from one on",
        warned="by `train`, with the month",
    )
    yield Check(
        "a feature has less than half of the values that it had in training, as if the last months "
        "of its table were empty",
        warned="with the rows",
    )
    yield Check(
        "a column is to be used as a number, and a text is none",
        "always",
        settings=("train.features.numbers",),
    )
    yield Check(
        "too few subscriptions churned, or did not, to judge a ranking",
        warned="no verdict",
        settings=("evaluation.min_outcomes",),
    )
    yield Check(
        "no back-test shows that the model ranks better than chance",
        warned="`contact` is null",
        settings=("champion.min_outcomes", "evaluation.min_outcomes"),
    )


def _batches() -> Iterator[Check]:
    yield Check(
        "a batch was delivered, and a run would make it in another way", "without `--replace`"
    )
    yield Check("a month has no predictions", warned="by `batch-predict` and `churn`")
    yield Check(
        "a batch was made of fewer rows than are known by now for its day",
        warned="by `batch-predict` and `churn`; `churn backfill` makes it again",
    )
    yield Check("a batch is far smaller than those before", warned="by `batch-predict` and `churn`")
    yield Check(
        f"more than {MAX_NOT_PREDICTED:.0%} of a batch's subscriptions were not predicted",
        warned="by `batch-score`, without a verdict on the model",
        counted="`not_predicted`",
    )


SECTIONS = {
    "Files": _files,
    "Rows": _rows,
    "References between tables": _references,
    "Time": _time,
    "Windows and labels": _windows,
    "Models": _models,
    "Batches": _batches,
}
"""The checks by kind."""


def page() -> Iterator[str]:
    """The lines of the page, without its first comment."""
    yield from ("# Data checks", "", *INTRODUCTION)
    for title, checks in SECTIONS.items():
        yield from ("", f"## {title}", "")
        yield "| what is found | refused | warned of | counted | settings |"
        yield "|---|---|---|---|---|"
        yield from map(_row, checks())
    yield from ("", "## What cannot be found", "", *NOT_FOUND)
    yield from ("", "## What a refused run leaves", "", *REFUSED)
    yield from ("", "## By table", "")
    yield "A row that breaks a rule is refused. Rows with a data warning are used, and counted."
    yield ""
    yield "| table | rules | data warnings |"
    yield "|---|---|---|"
    for spec in STANDARD.values():
        yield f"| {spec.name} | {_list(rules_of(spec))} | {_list(warnings_of(spec))} |"
    yield ""


def rules_of(spec: TableSpec) -> list[str]:
    """The rules of a raw table in words, beside those of its columns' types and its key."""
    reference = spec.required_parent
    refers = [f"{reference.column} must be in {reference.table}"] if reference else []
    return [*refers, *rule_texts(spec)]


def warnings_of(spec: TableSpec) -> list[str]:
    """The data warnings of a raw table, beside those that every table has."""
    unknown = [spec.parent.unknown] if spec.parent and spec.parent.unknown else []
    return [*(warning.text for warning in spec.warnings), *unknown]


def all_checks() -> Iterator[Check]:
    """All checks of the page."""
    for checks in SECTIONS.values():
        yield from checks()


def _row(check: Check) -> str:
    settings = ", ".join(f"`{name}`" for name in check.settings)
    return f"| {check.found} | {check.refused} | {check.warned} | {check.counted} | {settings} |"


def _names(kinds: Iterable[TableKind]) -> str:
    return " or ".join(spec.name for spec in STANDARD.of_kind(*kinds))


def _list(texts: Iterable[str]) -> str:
    return "<br>".join(texts)
