"""The options that commands share, and how their values are read. Imports nothing slow."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token

from churnlib.months import MONTH_PATTERN
from churnlib.uris import is_remote
from flows import BATCH_FLOWS


def _day(_: Any, tokens: Sequence[Token]) -> date:
    text = tokens[0].value
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):  # Python takes ISO weeks, too.
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f"'{text}' is not a date such as 2024-12-31.")


def _month(_: Any, tokens: Sequence[Token]) -> str:
    text = tokens[0].value
    if re.fullmatch(MONTH_PATTERN, text, re.ASCII):
        return text
    raise ValueError(f"'{text}' is not a month such as 2024-12.")


def _batch_flow(_: Any, tokens: Sequence[Token]) -> str:
    module = tokens[0].value.replace("-", "_")
    if module in BATCH_FLOWS:
        return module
    raise ValueError(f"'{tokens[0].value}' is not {_BATCH_FLOWS}.")


def _data_dir(_: Any, tokens: Sequence[Token]) -> str:
    text = tokens[0].value
    if is_remote(text):
        return text
    try:
        if text and text != "null":
            return str(Path(text).expanduser().absolute())
    except RuntimeError:  # The home of that user does not exist.
        pass
    raise ValueError(f"'{text}' is not a folder.")


def _folder(_: Any, tokens: Sequence[Token]) -> str:
    text = tokens[0].value
    try:
        if text and Path(text).expanduser().is_dir():
            return str(Path(text).expanduser().absolute())
    except (RuntimeError, OSError, ValueError):
        pass
    raise ValueError(f"'{text}' is not a folder on this machine.")


def _settings(_: Any, tokens: Sequence[Token]) -> tuple[str, ...]:
    for token in tokens:
        path, equals, _ = token.value.partition("=")
        if not equals or not path.strip():
            raise ValueError(f"'{token.value}' is not PATH=VALUE, such as train.seed=7.")
    return tuple(token.value for token in tokens)


Game = Annotated[str, Parameter(metavar="G", help="The game, named after its file in games/.")]
AsOf = Annotated[
    date | None,
    Parameter(
        converter=_day,
        metavar="YYYY-MM-DD",
        help="The day of the run. Nothing dated after it is read. Default: the first day of the "
        "latest month that has arrived in the histories.",
    ),
]
SetOptions = Annotated[
    tuple[str, ...],
    Parameter(
        name="--set",
        converter=_settings,
        metavar="PATH=VALUE",
        help="Override a setting, given by its path. May be repeated.",
    ),
]
DataDir = Annotated[
    str | None,
    Parameter(
        converter=_data_dir,
        metavar="P",
        help="The data folder, or the URI of one in an object store, such as s3://bucket/data. "
        "Default: the setting data_dir.",
    ),
]
Refresh = Annotated[bool, Parameter(help="Run every task, ignoring the cache.")]
Replace = Annotated[
    bool,
    Parameter(
        help="Replace delivered predictions that were made by another model, for another window "
        "or with another campaign."
    ),
]
FromRaw = Annotated[bool, Parameter(help="Build the standard features first.")]

Version = Annotated[str | None, Parameter(metavar="VERSION")]
VersionToReplay = Annotated[Version, Parameter(help="The model version. Default: the champion.")]
VersionToPromote = Annotated[Version, Parameter(help="The model version to make the champion.")]
RollBack = Annotated[
    bool,
    Parameter(
        name="--back",
        help="Roll back: make the champion that the present one replaced the champion again. Once "
        "more goes back one champion further.",
    ),
]
Force = Annotated[
    bool,
    Parameter(
        help="Promote a version even if no back-test has accepted it. One that cannot be loaded "
        "is always refused."
    ),
]

_BATCH_FLOWS = " or ".join(BATCH_FLOWS).replace("_", "-")
BatchFlow = Annotated[
    str, Parameter(converter=_batch_flow, metavar="F", help=f"The flow to run: {_BATCH_FLOWS}.")
]
_Month = Annotated[str, Parameter(converter=_month, metavar="YYYY-MM")]
FirstMonth = Annotated[
    _Month, Parameter(name="--from", help="The first batch, by the month in its file names.")
]
LastMonth = Annotated[
    _Month, Parameter(name="--to", help="The last batch, by the month in its file names.")
]

NewGame = Annotated[
    str,
    Parameter(metavar="NAME", help="The name of the new game, and of its file in games/."),
]
FolderOfFiles = Annotated[
    str,
    Parameter(
        name="--from",
        converter=_folder,
        metavar="FOLDER",
        help="The folder of the game's files: CSV, Parquet, and folders of such parts.",
    ),
]
PrintOnly = Annotated[
    bool, Parameter(name="--print", help="Print the proposed file, and do not write it.")
]
OneGame = Annotated[str | None, Parameter(metavar="G", help="Only this game. Default: all games.")]
MapFile = Annotated[
    str | None,
    Parameter(
        name="--out",
        metavar="FILE",
        help="The page. Default: 08_reporting/pipelines.html in the data folder.",
    ),
]
CheckPage = Annotated[
    str | None,
    Parameter(name="--html", metavar="FILE", help="Write the same to this file, as a page."),
]
Port = Annotated[int, Parameter(metavar="N", help="The port on 127.0.0.1. Default: 4200.")]
AsJson = Annotated[bool, Parameter(name="--json", help="Print JSON, for programs.")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What distinguishes one run of a flow from another.

    Attributes:
        game: The game.
        as_of: The day of the run; None for that of the latest month that has arrived.
        settings: Settings to override, each as PATH=VALUE.
        data_dir: The data folder, absolute, or its URI; None for that of the settings.
        refresh: Whether to run every task, ignoring the cache.
    """

    game: Game
    as_of: AsOf = None
    settings: SetOptions = ()
    data_dir: DataDir = None
    refresh: Refresh = False

    @property
    def overrides(self) -> dict[str, str] | None:
        """The settings to override, by dotted path."""
        pairs = (setting.partition("=") for setting in self.settings)
        return {path.strip(): value.strip() for path, _, value in pairs} or None

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that all flows share."""
        return {
            "game": self.game,
            "as_of": self.as_of,
            "overrides": self.overrides,
            "data_dir": self.data_dir,
            "refresh": self.refresh,
        }

    @property
    def changes(self) -> dict[str, Any]:
        """The settings that differ from those of the game's file, by dotted path."""
        named = {"as_of": self.as_of, "data_dir": self.data_dir}
        return {**(self.overrides or {}), **{k: v for k, v in named.items() if v is not None}}
