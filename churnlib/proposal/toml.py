"""The file of a proposed game, as TOML with a comment on each guess."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from churnlib.io.raw_files import RAW_SUFFIXES
from churnlib.months import last_day, shift_months
from churnlib.proposal.features import event_features, history_features
from churnlib.proposal.game import Placed, Proposal
from churnlib.proposal.windows import Fitting, Tried
from churnlib.settings import Settings
from churnlib.settings.features import HistoryFeatures
from churnlib.settings.tables import TableSettings
from churnlib.shown import one_line

WIDTH = 100
MOST_SEGMENTS, MOST_VALUES = 3, 10
"""The number of columns by which reports show the performance, and of their values."""


class Line(NamedTuple):
    """A setting.

    Attributes:
        key: Its name.
        value: Its value.
        comment: Why it is a guess; empty if it is none.
    """

    key: str
    value: Any
    comment: str = ""


def game_file(proposal: Proposal, base: Settings, *, in_raw_folder: bool = False) -> str:
    """Writes the file of a game: what differs from the settings that all games share.

    Args:
        proposal: What is proposed.
        base: The settings that all games share.
        in_raw_folder: Whether the files are in the game's folder of raw tables, so that they need
            no path, or only their names.
    """
    lines: list[str] = ["#:schema ./schema.json"]
    lines += _comments(
        f"Proposed from the files in {proposal.folder}. A comment after a setting marks a guess, or "
        "says why a column is not used: check these, and remove what is settled.",
    )
    lines += _lines([Line("description", f"The game {proposal.game}.")])
    lines += _lines(_horizon(proposal.fitting, base))
    if to_prepare := missing(proposal):
        lines += ["", "# To prepare before the first run:"]
        lines += [line for item in to_prepare for line in _comments(f"- {item}", "#   ")]
    lines += _section("raw", _raw(proposal, base))
    for placed in proposal.tables:
        lines += _table(placed, base, None if in_raw_folder else proposal.folder)
    lines += _absent(proposal, base)
    lines += _windows(proposal.fitting, base)
    for placed in proposal.tables:
        lines += _features(placed, base)
    lines += _section("evaluation", _segments(proposal, base))
    if proposal.unplaced:
        lines += ["", "# Not placed:"]
        for name, why in proposal.unplaced.items():
            lines += _comments(f"- {name} {why}", "#   ")
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
    renamed = _section(f"{header}.rename", list(_renames(placed)), blank=False)
    columns = [*_columns(placed, shared)]
    lines = _section(f"{header}.columns", columns, blank=False)
    lines += _unnamed(placed)
    if not own and not renamed and not lines:
        return []
    head = _section(header, own) if own else [""]
    about = [*_comments(f"{placed.file.name}, {placed.file.rows:,} rows")]
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
            if _is_bare(choice.column.name) and choice.column.name not in placed.roles:
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
        if choice.kind is None and not _is_bare(choice.column.name)
        for line in _comments(f"{json.dumps(choice.column.name)} is not used: {choice.why}")
    ]


def _absent(proposal: Proposal, base: Settings) -> list[str]:
    used = {placed.name for placed in proposal.tables}
    lines = []
    for name, table in base.tables.items():
        if table.kind in ("history", "events") and name not in used and not table.absent:
            lines += _section(f"tables.{name}", [Line("absent", True)])
    return lines


def _horizon(fitting: Fitting, base: Settings) -> list[Line]:
    chosen = _fitting(fitting)
    if chosen is None or chosen.horizon_months == base.horizon_months:
        return []
    return [Line("horizon_months", chosen.horizon_months, "see [windows]")]


def _fitting(fitting: Fitting) -> Tried | None:
    """The windows to propose: even if nobody is known to have churned, those that have rows."""
    return fitting.chosen or next((t for t in fitting.tried if sum(t.stayed) > 0), None)


def _windows(fitting: Fitting, base: Settings) -> list[str]:
    chosen, enough = _fitting(fitting), base.champion.min_outcomes
    lines = []
    if chosen is not None:
        for name, window in chosen.settings.items():
            usual = getattr(base.windows, name)
            if (usual.start, usual.end) != (window["start"], window["end"]):
                lines.append(Line(name, window))
    is_usual = not lines and chosen is not None and chosen.rarer >= enough
    if is_usual:
        return []
    return ["", *_on_windows(fitting, chosen, enough), *_section("windows", lines, blank=False)]


def _on_windows(fitting: Fitting, chosen: Tried | None, enough: int) -> Iterator[str]:
    """Comments on what was tried."""
    if fitting.as_of is None:
        yield from _comments(
            "The windows are those of base.toml: without subscriptions that have a start and a "
            "term, others cannot be chosen."
        )
        return
    if chosen is None:
        yield from _comments(
            f"The windows are those of base.toml. {fitting.subscriptions:,} subscriptions until "
            f"{fitting.as_of} are too short a time for any horizon."
        )
        return
    if chosen.rarer < enough:
        yield from _comments(
            f"In no windows {enough} subscriptions churned and {enough} did not, as a comparison of "
            "models needs. These have the most."
        )
    yield from _comments(f"As of {fitting.as_of}, the day of a run that names none:")
    yield "# horizon  training window      churned of    scoring window       churned of"
    for tried in _shown(fitting, chosen):
        mark = "  <- these" if tried is chosen else ""
        train, score = (_span(fitting, each) for each in (tried.train, tried.score))
        counts = [f"{c:>7,} {c + s:>6,}" for c, s in zip(tried.churned, tried.stayed, strict=True)]
        yield f"# {tried.horizon_months:>7}  {train}  {counts[0]}  {score}  {counts[1]}{mark}"


def _shown(fitting: Fitting, chosen: Tried) -> Sequence[Tried]:
    """The chosen windows, and the best of the other horizons with scoring windows as long."""
    length = chosen.score[0] - chosen.score[1]
    best = {}
    for tried in fitting.tried:
        if tried.score[0] - tried.score[1] == length:
            best.setdefault(tried.horizon_months, tried)
    best[chosen.horizon_months] = chosen
    near = sorted(best, key=lambda h: abs(h - chosen.horizon_months))[:5]
    return [best[horizon] for horizon in sorted(near)]


def _span(fitting: Fitting, months: tuple[int, int]) -> str:
    assert fitting.as_of is not None
    first, last = (shift_months(fitting.as_of.replace(day=1), -each) for each in months)
    return f"{first:%Y-%m} to {last_day(last):%Y-%m}"


def on_windows(fitting: Fitting) -> str:
    """The proposed windows, and how many subscriptions churned in them; empty without any."""
    if (chosen := _fitting(fitting)) is None or fitting.as_of is None:
        return ""
    parts = [
        f"{c:,} of {c + s:,} churned in the {which} window, {_span(fitting, months)}"
        for which, months, c, s in zip(
            ("training", "scoring"),
            (chosen.train, chosen.score),
            chosen.churned,
            chosen.stayed,
            strict=True,
        )
    ]
    return f"as of {fitting.as_of}, within {chosen.horizon_months} months: {'; '.join(parts)}"


def _features(placed: Placed, base: Settings) -> list[str]:
    if placed.table.kind == "history":
        return _of_history(placed, base)
    if placed.table.kind == "events":
        features = event_features(placed.table, placed.choices)
        return _section(f"features.{placed.name}", [Line(k, v) for k, v in features.items()])
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
    return _section(f"features.{placed.name}", lines)


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


def _section(name: str, lines: Sequence[Line], *, blank: bool = True) -> list[str]:
    if not lines:
        return []
    return [*([""] if blank else []), f"[{name}]", *_lines(lines)]


def _lines(lines: Sequence[Line]) -> list[str]:
    written = []
    for line in lines:
        text = f"{_key(line.key)} = {_value(line.value)}"
        if isinstance(line.value, list) and len(text) > WIDTH:
            items = "".join(f"  {_value(item)},\n" for item in line.value)
            text = f"{_key(line.key)} = [\n{items}]"
        written.append(f"{text}  # {one_line(line.comment)}" if line.comment else text)
    return written


def _is_bare(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None and len(name) <= 64


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")


def _comments(text: str, more: str = "# ") -> list[str]:
    """Comment lines of a text."""
    lines, line = [], "#"
    for word in one_line(text).split(" "):
        if len(line) + len(word) + 1 > WIDTH and line.strip("# "):
            lines.append(line)
            line = more.rstrip() if more == "# " else more[:-1]
        line += f" {word}"
    return [*lines, line]
