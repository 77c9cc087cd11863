"""What a report says, whatever its format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

GROUPS = {"general": "all subscriptions", "new_characters": "new characters"}
"""The groups that every report scores, and what they are called."""


@dataclass(frozen=True)
class Report:
    """A report on predictions whose outcome is known.

    Attributes:
        name: `in_sample_report`, `score_report` or `batch_score_report`.
        game: The game.
        as_of: The day of the run.
        window: First and last start of the subscriptions it is about.
        horizon_months: Within how many months churn counts.
        model_version: The model that predicted.
        groups: The scores of `churnlib.metrics.evaluate.evaluate`, as plain data, by group.
        validation: The same of the validation slice; only in the in-sample report.
        campaign: What a campaign by these predictions comes to, as plain data; see
            `churnlib.metrics.campaign.Campaign`. Of a batch also `hold_out`, see
            `churnlib.metrics.contact.compare_hold_out`, null where the predictions do not tell whom
            to contact. Of a training it is that of the validation.
        segments: Of the rows that are judged, of a training its validation slice: the figures of
            new and returning characters, and by further columns as the game's settings name them;
            see `churnlib.metrics.segments.breakdown`.
        cohorts: The same by month of the start.
        importance: What shuffling each feature costs the model, the most important first; see
            `churnlib.model.importance.Importance`. Empty where it was not measured.
        importance_reason: Why it was not measured; if null, there were not both outcomes.
        changes: The settings that the model was made by and that are not as `base.toml` has them;
            see `churnlib.settings.Change`. Null where that is not known.
        libraries: The versions of the libraries that the model was made with, by name.
        inputs: What the model was made from, by name: `rows` and `fingerprint`.
        facts: Other facts, such as the seed, by name.
        quarantined: Rows set apart as faulty, by table; null where that is not known, of a table
            or of all.
        odd: Rows that show an odd fact, by table and fact; null where that is not known, of a table
            or of all.
        warnings: What the reader must know before believing the figures.
        comparison: How the model was held against the champion: a
            `churnlib.versions.gate.Comparison` as plain data; null where it was not. Of a
            champion it is that by which it became one, so it may be of other subscriptions.
        in_use: Whether campaigns go by the model; null where that is not known.
    """

    name: str
    game: str
    as_of: date
    window: tuple[date, date]
    horizon_months: int
    model_version: str
    groups: Mapping[str, Mapping[str, Any]]
    validation: Mapping[str, Mapping[str, Any]] | None = None
    campaign: Mapping[str, Any] | None = None
    segments: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    cohorts: Sequence[Mapping[str, Any]] = ()
    importance: Sequence[Mapping[str, Any]] = ()
    importance_reason: str | None = None
    changes: Sequence[Mapping[str, str]] | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    quarantined: Mapping[str, int | None] | None = None
    odd: Mapping[str, Mapping[str, int] | None] | None = None
    warnings: tuple[str, ...] = ()
    comparison: Mapping[str, Any] | None = None
    in_use: bool | None = None

    @property
    def judged(self) -> Mapping[str, Mapping[str, Any]]:
        """The scores that judge the model: of a training those of its validation."""
        return self.validation or self.groups

    @property
    def comparison_is_earlier(self) -> bool:
        """Whether the model was compared on other subscriptions than the report is about."""
        if not self.comparison:
            return False
        days = (*self.comparison["window"], self.comparison["as_of"])
        return tuple(map(str, days)) != tuple(map(str, (*self.window, self.as_of)))

    @property
    def why_no_importance(self) -> str | None:
        """Why importance was not measured; null where it was."""
        if self.importance:
            return None
        return self.importance_reason or "not both outcomes are known"

    def to_json(self) -> dict[str, Any]:
        """The report as plain data, the groups at the top; of the same keys whatever is known."""
        return {
            "report": self.name,
            "game": self.game,
            "as_of": self.as_of.isoformat(),
            "window": {"start": self.window[0].isoformat(), "end": self.window[1].isoformat()},
            "horizon_months": self.horizon_months,
            "model_version": self.model_version,
            **{name: dict(scores) for name, scores in self.groups.items()},
            "validation": self.validation,
            "campaign": self.campaign and {"hold_out": None, **self.campaign},
            "comparison": self.comparison,
            "segments": dict(self.segments),
            "cohorts": list(self.cohorts),
            "importance": list(self.importance),
            "importance_reason": self.why_no_importance,
            "changes": None if self.changes is None else list(self.changes),
            "libraries": dict(self.libraries),
            "inputs": dict(self.inputs),
            "facts": dict(self.facts),
            "data": {"quarantined": self.quarantined, "odd": self.odd},
            "warnings": list(self.warnings),
        }
