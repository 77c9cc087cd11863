"""The file of a proposed game, with a comment on each guess."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from churnlib.io.raw_files import RAW_SUFFIXES
from churnlib.proposal.features import event_features, history_features
from churnlib.proposal.game import Placed, Proposal
from churnlib.proposal.toml import Line, comments, is_name, lines_of, section
from churnlib.proposal.window_text import horizon, windows
from churnlib.settings import Settings
from churnlib.settings.history_features import HistoryFeatures
from churnlib.settings.tables import TableSettings

MOST_SEGMENTS, MOST_VALUES = 3, 10
"""The number of columns by which reports show the performance, and of their values."""


def game_file(proposal: Proposal, base: Settings, *, in_raw_folder: bool = False) -> str:
    """Writes the file of a game: what differs from the settings that all games share.

    Args:
        proposal: What is proposed.
        base: The settings that all games share.
        in_raw_folder: Whether the files are in the game's folder of raw tables, so that they need
            no path, or only their names.
    """
    lines: list[str] = ["#:schema ./schema.json"]
    lines += comments(
        f"Proposed from the files in {proposal.folder}. A comment after a setting marks a guess, "
        "or says why a column is not used. Check these, and remove what is settled."
    )
    lines += lines_of([Line("description", f"The game {proposal.game}.")])
    lines += lines_of(horizon(proposal.fitting, base))
    if to_prepare := missing(proposal):
        lines += ["", "# To prepare before the first run:"]
        lines += [line for item in to_prepare for line in comments(f"- {item}", "#   ")]
    lines += section("raw", _raw(proposal, base))
    for placed in proposal.tables:
        lines += _table(placed, base, None if in_raw_folder else proposal.folder)
    lines += _absent(proposal, base)
    lines += windows(proposal.fitting, base)
    for placed in proposal.tables:
        lines += _features(placed, base)
    lines += section("evaluation", _segments(proposal, base))
    if proposal.unplaced:
        lines += ["", "# Not placed:"]
        for name, why in proposal.unplaced.items():
            lines += comments(f"- {name} {why}", "#   ")
    return "\n".join(lines) + "\n"


def guesses(text: str) -> int:
    """The number of settings of a proposed file that are guesses."""
    return len(re.findall(r"^[^#].*  # (?!not in the file$)", text, re.MULTILINE))


def missing(proposal: Proposal) -> list[str]:
    """What the files lack that every game needs, and what to prepare."""
    of_tables = [f"{p.file.name}: {text}" for p in proposal.tables for text in p.missing]
    return [*proposal.missing, *of_tables]


def _raw(proposal: Proposal, base: Settings) -> list[Line]:
    lines = []
    if proposal.has_text_ids:
        lines.append(Line("id_type", "text"))
    used = [column for placed in proposal.tables for column in placed.used]
    if words := sorted({word for column in used for word in column.null_words}):
        values = ["null" if v is None else v for v in base.raw.null_values]
        among = "among numbers and days; null in every column"
        lines.append(Line("null_values", [*values, *words], f"{', '.join(words)}: {among}"))
    if days := sorted({day for column in used for day in column.no_days}):
        lines.append(Line("no_date", days, 'do they mean "no date"?'))
    if proposal.unknown:
        share = f"{proposal.unknown:.1%} of the subscriptions are of unknown characters"
        lines.append(Line("unknown_parent", "keep", share))
    return lines


def _table(placed: Placed, base: Settings, folder: Path | None) -> list[str]:
    shared = base.tables.get(placed.name)
    own = [] if shared else [Line("kind", placed.table.kind)]
    if placed.table.kind == "history" and placed.table.every != (
        shared.every if shared else "month"
    ):
        own.append(Line("every", placed.table.every))
    if placed.time:
        own.append(Line("time", placed.time, placed.table.guesses.get("time", "")))
    own += _place(placed, folder) + _text(placed)
    header = f"tables.{placed.name}"
    renamed = section(f"{header}.rename", list(_renames(placed)), blank=False)
    columns = [*_columns(placed, shared)]
    lines = section(f"{header}.columns", columns, blank=False)
    lines += _unnamed(placed)
    if not own and not renamed and not lines:
        return []
    head = section(header, own) if own else [""]
    about = [*comments(f"{placed.file.name}, {placed.file.rows:,} rows")]
    return ["", *about, *head[1:], *renamed, *lines]


def _place(placed: Placed, folder: Path | None) -> list[Line]:
    name = placed.file.name
    if folder is not None:
        return [Line("path", str(folder.resolve() / name))]
    return [] if name in {placed.name + suffix for suffix in RAW_SUFFIXES} else [Line("path", name)]


def _text(placed: Placed) -> list[Line]:
    text, writing = placed.file.text, placed.writing
    plain = TableSettings(kind="events", time="time")
    found = {
        "separator": (text.separator if text else plain.separator, ""),
        "encoding": (text.encoding if text else plain.encoding, _encoding_doubt(placed)),
        "decimal": (writing.decimal, ""),
        "date_format": (
            writing.date_format,
            "or with month and day the other way round" if writing.is_ambiguous else "",
        ),
    }
    return [
        Line(key, value, why) for key, (value, why) in found.items() if value != getattr(plain, key)
    ]


def _encoding_doubt(placed: Placed) -> str:
    return "not UTF-8; are letters such as ü right?" if placed.file.text else ""


def _renames(placed: Placed) -> Iterator[Line]:
    for ours, column in placed.roles.items():
        if column.name != ours:
            yield Line(column.name, ours, placed.table.guesses.get(ours, ""))
    for choice in placed.choices:
        if choice.kind and choice.name != choice.column.name:
            named = choice.name in ("price", "creation_date")
            yield Line(choice.column.name, choice.name, choice.why if named else "")


def _columns(placed: Placed, shared: TableSettings | None) -> Iterator[Line]:
    declared = shared.declared if shared else {}
    found = {choice.name for choice in placed.choices if choice.kind}
    in_file = {choice.column.name for choice in placed.choices}
    for name in declared:
        if name not in found and name not in placed.roles and name not in in_file:
            yield Line(name, "null", "not in the file")
    for choice in placed.choices:
        kind = choice.kind
        own = declared.get(choice.name)
        if kind is None:
            if is_name(choice.column.name) and choice.column.name not in placed.roles:
                yield Line(choice.column.name, "null", choice.why)
            continue
        is_usual = own is not None and own.kind == kind
        if is_usual and not (choice.is_nullable and own and not own.nullable):
            continue
        why = "" if choice.name in ("price", "creation_date") else choice.why
        if choice.is_nullable:
            yield Line(choice.name, {"kind": kind, "nullable": True}, why)
        else:
            yield Line(choice.name, kind, why)


def _unnamed(placed: Placed) -> list[str]:
    """Comments on unused columns that settings cannot name."""
    return [
        line
        for choice in placed.choices
        if choice.kind is None and not is_name(choice.column.name)
        for line in comments(f"{json.dumps(choice.column.name)} is not used: {choice.why}")
    ]


def _absent(proposal: Proposal, base: Settings) -> list[str]:
    used = {placed.name for placed in proposal.tables}
    lines = []
    for name, table in base.tables.items():
        if table.kind in ("history", "events") and name not in used and not table.absent:
            lines += section(f"tables.{name}", [Line("absent", True)])
    return lines


def _features(placed: Placed, base: Settings) -> list[str]:
    if placed.table.kind == "history":
        return _of_history(placed, base)
    if placed.table.kind == "events":
        features = event_features(placed.table, placed.choices)
        return section(f"features.{placed.name}", [Line(k, v) for k, v in features.items()])
    return []


def _of_history(placed: Placed, base: Settings) -> list[str]:
    usual = base.features.tables.get(placed.name, HistoryFeatures())
    shared = base.tables[placed.name].declared if placed.name in base.tables else {}
    if shared and {c.name for c in placed.choices if c.kind} >= shared.keys():
        return []
    assert isinstance(usual, HistoryFeatures)
    stated = usual.model_dump(include={"latest", "aggregations", "differences"})
    lines = [
        Line(key, value)
        for key, value in history_features(placed.choices).items()
        if value or stated[key]
    ]
    return section(f"features.{placed.name}", lines)


def _segments(proposal: Proposal, base: Settings) -> list[Line]:
    named = {
        c.name: c
        for kind in ("subscriptions", "entity")
        for placed in proposal.tables
        for c in placed.choices
        if placed.table.kind == kind and c.kind in ("category", "flag")
    }
    if all(name in named for name in base.evaluation.segments):
        return []
    few = [n for n, c in named.items() if c.kind == "category" and c.column.distinct <= MOST_VALUES]
    return [Line("segments", few[:MOST_SEGMENTS])]
