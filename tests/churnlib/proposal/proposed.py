"""A proposal for a folder, as its text and as the settings that it gives."""

import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from churnlib.proposal.game import Proposal, propose
from churnlib.proposal.game_file import game_file, missing
from churnlib.settings import Settings, parse_settings
from churnlib.settings.tables import TableSettings

GAME = "hawk"
BASE = parse_settings(GAME)


@dataclass(frozen=True)
class Proposed:
    """A proposal.

    Attributes:
        proposal: What is proposed.
        text: The file.
    """

    proposal: Proposal
    text: str

    @classmethod
    def of(cls, folder: Path, *, in_raw_folder: bool = False) -> "Proposed":
        """Looks at a folder."""
        proposal = propose(GAME, folder, BASE)
        return cls(proposal, game_file(proposal, BASE, in_raw_folder=in_raw_folder))

    @cached_property
    def settings(self) -> Settings:
        """The settings of the game."""
        return parse_settings(GAME, self.text)

    @property
    def tree(self) -> dict[str, Any]:
        """What the file states."""
        return tomllib.loads(self.text)

    @property
    def missing(self) -> str:
        """What is missing."""
        return "\n".join(missing(self.proposal))

    def table(self, name: str) -> TableSettings:
        """A table of the settings."""
        return self.settings.tables[name]

    def kinds(self, name: str) -> dict[str, str]:
        """The kinds of the columns that the file states for a table."""
        return {n: column.kind for n, column in self.table(name).declared.items()}

    def comment(self, setting: str) -> str:
        """The comment on a setting."""
        (line,) = [line for line in self.text.splitlines() if line.startswith(f"{setting} = ")]
        return line.partition("  # ")[2]
