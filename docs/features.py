"""The page of what a game can declare, and of the features that follow: `docs/features.md`."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from churnlib.features.aggregations import meaning_of
from churnlib.features.python import feature
from churnlib.settings import games_folder, list_games, load_settings
from churnlib.settings.event_features import EventFeatures, EventFunction
from churnlib.settings.features import CalendarFeatures, FeatureSettings, PythonFeatures
from churnlib.settings.history_features import CURRENCY, HistoryFeatures, HistoryFunction
from churnlib.settings.tables import COLUMN_KINDS, ROLES, TABLE_KINDS, ColumnSettings, TableSettings

INTRODUCTION = (
    "A game's file in `games/` declares its tables in `[tables]`, and the features that are",
    "computed from histories and events in `[features]`. The four tables in",
    "[`base.toml`](../games/base.toml) are declared in the same way; a game's own file adds,",
    'changes or (`"null"`) removes columns and tables.',
    "[All settings](settings.md) are listed with their types.",
)
EXAMPLE = """\
```toml
[tables.character_data.columns]
vip_level = "category"
guild_joined = "milestone"
race = "null"                       # the game has none

[tables.gems]                       # a history of its own
kind = "history"
columns = { gem_balance = "number" }

[tables.logins]                     # an event log
kind = "events"
time = "at"
known_after_days = 1                # a login reaches the data a day later
columns = { minutes = "number", platform = "category" }

[features.gems]
latest = ["gem_balance"]
aggregations = [{ columns = ["gem_balance"], functions = ["mean", "slope"] }]

[features.logins]
windows = ["30d", "6mo"]
count = true
days_since_last = true
aggregations = [{ columns = ["minutes"], functions = ["sum"] }]
by = { platform = ["pc", "mobile"] }

[[features.ratios]]
name = "login_trend"
of = "logins_count_30d"
over = "logins_count_6mo"
```"""
VISIBLE = (
    "A feature is computed from the facts that were known on the day of its row, the start of the",
    "subscription: those whose date plus `known_after_days` is not after it. A window of `n` days",
    "back from a day holds the facts of less than `n` days before it, that day included; one of",
    "`n` months those of the month of the day and of the `n - 1` calendar months before it: back",
    "from 24 June as from 1 June, `6mo` begins on 1 January. A window such as `30d..60d` holds",
    "those from 30 to less than 60 days before: the ratio of two windows is a change.",
)


def page() -> Iterator[str]:
    """The lines of the page."""
    yield from ("# Tables and features of a game", "", *INTRODUCTION, "", EXAMPLE, "")
    yield from ("## Kinds of tables", "", "| kind | rows | columns that it always has |")
    yield "|---|---|---|"
    for kind, meaning in TABLE_KINDS.items():
        time = ", the column that `time` names" if kind == "events" else ""
        yield f"| `{kind}` | {meaning} | {_code(ROLES[kind])}{time} |"
    yield from ("", "Settings of a table:", "", *_words(TableSettings), "")
    yield from ("## Kinds of columns", "", "| kind | values, and features of a character |")
    yield "|---|---|"
    yield from (f"| `{kind}` | {meaning} |" for kind, meaning in COLUMN_KINDS.items())
    yield from ("", "In long form, a column also has:", "", *_words(ColumnSettings), "")
    yield from ("## What a row sees", "", *VISIBLE, "")
    yield from ("## Features of a history", "", *_words(HistoryFeatures), "")
    yield f"The names of the features of `{CURRENCY}` have no prefix; those of others start with"
    yield from ("that of the table: `gems_gem_balance_mean`.", "")
    yield from _functions(get_args(HistoryFunction))
    yield from ("", "## Features of events", "", *_words(EventFeatures), "")
    yield from _functions(get_args(EventFunction))
    yield from ("", "Counts and sums are 0 without events, all else is null.", "")
    yield from ("## Other features", "", *_words(FeatureSettings))
    yield from (*_words(CalendarFeatures, "calendar."), *_words(PythonFeatures, "python."), "")
    yield from ("## Features in Python", "", *_python(), "")
    yield from ("## The games", "", "| game | from | features |", "|---|---|---|")
    for game in list_games():
        settings = load_settings(game, local=False, environ={})
        present = {name for name, table in settings.tables.items() if not table.absent}
        for table, asked in settings.features.tables.items():
            if table not in present:
                continue
            names = [feature.name for feature in asked.of_table(table)]
            yield f"| {game} | {table} | {_code(names)} |"
    yield ""


def _python() -> Iterator[str]:
    """How to write a function, from its docstring, with the example that there is."""
    about = inspect.cleandoc(feature.__doc__ or "").split("\n\nArgs:")[0].split("\n\n")
    yield "Functions in [`games/features.py`](../games/features.py) compute features of one's own."
    yield from (" ".join(paragraph.split()) for paragraph in about[1:])
    example = (games_folder() / "features.py").read_text(encoding="utf-8")
    yield from ("", "```python", example.strip(), "```", "")
    yield 'A game names it: `[features.python]`, `use = ["hard_balance_to_mean"]`. A model is'
    yield "refused once the code of its functions has changed, but not for comments or functions"
    yield "that it does not use; other modules that the file imports do not count."


def _words(model: type[Any], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if field.description:
            yield f"- `{prefix}{name}`: {' '.join(field.description.split())}"


def _functions(names: Iterable[Any]) -> Iterator[str]:
    yield from ("| function | meaning |", "|---|---|")
    yield from (f"| `{name}` | {meaning_of(name)} |" for name in names)


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
