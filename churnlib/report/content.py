"""The content of a report, independent of its format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from churnlib.io.catalog import batch_name
from churnlib.settings import Grain, RowWords, words_of

Plain = Mapping[str, Any]
"""Metrics or facts as plain data, as in the JSON reports."""

GROUPS = {"general": "all subscriptions", "new_characters": "new characters"}
"""The groups that every report scores, and their names at the start grain."""
LEFT_OUT = {"not_at_risk": "too short to churn", "not_predicted": "not predicted"}
"""Why subscriptions of a window are not scored, besides labels that are not yet available."""
TITLES = {
    "in_sample_report": "Training report",
    "score_report": "Back-test",
    "batch_score_report": "Batch score",
}
"""The titles of the reports."""
MAX_NOT_PREDICTED = 0.1
"""The share of a batch's subscriptions without a prediction beyond which it is incomplete."""


@dataclass(frozen=True)
class Report:
    """A report on predictions whose outcome is known.

    Attributes:
        name: `in_sample_report`, `score_report` or `batch_score_report`.
        game: The game.
        as_of: The day of the run.
        window: The first and last day of the rows.
        horizon_months: Number of months within which churn counts.
        model_version: The model that predicted.
        groups: The scores of `churnlib.metrics.evaluate.evaluate` as plain data, by group.
        not_at_risk: Number of subscriptions of the window that are left out because they cannot
            churn; see `churnlib.features.outcome.is_at_risk`.
        validation: The same on the validation months; only in the training report.
        campaign: The expected gain of a campaign by these predictions, as plain data; see
            `churnlib.metrics.campaign.Campaign`. For a batch also `hold_out`, see
            `churnlib.metrics.contact.compare_hold_out`; None if the predictions do not say whom to
            contact. In training, on the validation months.
        segments: The metrics of new and returning characters, and by the columns in the game's
            settings; see `churnlib.metrics.segments.breakdown`. In training, on the validation
            months.
        cohorts: The same by month of the rows' days.
        survival: When subscriptions churn and end, over all of them, as plain data; see
            `churnlib.metrics.survival.survival`. Only in the training report.
        importance: The importance of each feature, the greatest first; see
            `churnlib.model.importance.Importance`. Empty if it was not measured.
        importance_reason: Why it was not measured; None if the reason is that there is only one
            outcome.
        changes: The model's settings that differ from `base.toml`; see `churnlib.settings.changes`.
            None if not known.
        libraries: The versions of the libraries that the model was trained with, by name.
        inputs: The datasets that the model was trained on, by name: `rows` and `fingerprint`.
        facts: Other facts, such as the seed, by name.
        quarantined: Number of quarantined rows by raw table; None if not known, for a table or
            all.
        odd: Number of rows with a data warning, by raw table and warning; None if not known, for a
            table or all.
        warnings: What the reader must know before trusting the metrics.
        comparison: The comparison of the model with the champion: a
            `churnlib.versions.gate.Comparison` as plain data; None if there was none. For a
            champion, the one that promoted it, which may be on other subscriptions.
        used_by_campaigns: Whether campaigns follow the model: that of a batch; of a back-test, the
            champion before it. None if not known.
        no_contact: Why nobody is contacted by the predictions of this model, or for a batch, why
            nobody was; None if there is no reason against it.
        not_predicted: Number of subscriptions of a batch's window without a prediction; None in
            other reports.
        left_out: Number of rows of the window that are not scored, by reason, one of `LEFT_OUT`,
            and by group; in training, of the validation months. None if not known.
        grain: Which rows a subscription has; see `churnlib.settings.CohortSettings`.
    """

    name: str
    game: str
    as_of: date
    window: tuple[date, date]
    horizon_months: int
    model_version: str
    groups: Mapping[str, Mapping[str, Any]]
    not_at_risk: int = 0
    validation: Mapping[str, Mapping[str, Any]] | None = None
    campaign: Mapping[str, Any] | None = None
    segments: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    cohorts: Sequence[Mapping[str, Any]] = ()
    survival: Mapping[str, Any] | None = None
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
    used_by_campaigns: bool | None = None
    no_contact: str | None = None
    not_predicted: int | None = None
    left_out: Mapping[str, Mapping[str, int]] | None = None
    grain: Grain = "start"

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Report":
        """Reads a report from the plain data of `to_json`."""
        same = (
            "game", "horizon_months", "model_version", "validation", "campaign", "comparison",
            "segments", "cohorts", "importance", "importance_reason", "changes", "libraries",
            "inputs", "facts",
        )  # fmt: skip
        return cls(
            **{name: plain[name] for name in same},
            name=plain["report"],
            as_of=date.fromisoformat(plain["as_of"]),
            window=(
                date.fromisoformat(plain["window"]["start"]),
                date.fromisoformat(plain["window"]["end"]),
            ),
            groups={name: plain[name] for name in GROUPS},
            quarantined=plain["data"]["quarantined"],
            odd=plain["data"]["odd"],
            warnings=tuple(plain["warnings"]),
            survival=plain.get("survival"),
            used_by_campaigns=plain.get("used_by_campaigns", plain.get("in_use")),
            no_contact=plain.get("no_contact"),
            not_at_risk=plain.get("not_at_risk", 0),
            not_predicted=plain.get("not_predicted"),
            left_out=plain.get("left_out"),
            grain=plain.get("grain", "start"),
        )

    @property
    def title(self) -> str:
        """The title of the report."""
        batch = f", {batch_name(*self.window)}" if self.is_batch else ""
        return f"{TITLES[self.name]}: {self.game}{batch}"

    @property
    def is_batch(self) -> bool:
        """Whether it is about the predictions of a batch."""
        return self.name == "batch_score_report"

    @property
    def subject(self) -> str:
        """The rows that the report is about."""
        return self.words.within(*self.window)

    @property
    def words(self) -> RowWords:
        """What the report calls its rows."""
        return words_of(self.grain, *self.window)

    @property
    def group_names(self) -> Mapping[str, str]:
        """The names of the groups."""
        return {**GROUPS, "general": self.words.everyone}

    @property
    def judged(self) -> Mapping[str, Mapping[str, Any]]:
        """The scores to judge the model by: in training, those on the validation months."""
        return self.validation or self.groups

    @property
    def comparison_is_earlier(self) -> bool:
        """Whether the model was compared on other subscriptions than the report's."""
        if not self.comparison:
            return False
        days = (*self.comparison["window"], self.comparison["as_of"])
        return tuple(map(str, days)) != tuple(map(str, (*self.window, self.as_of)))

    @property
    def is_incomplete(self) -> bool:
        """Whether more than `MAX_NOT_PREDICTED` of a batch's subscriptions were not predicted."""
        missed = self.not_predicted or 0
        general = self.groups["general"]
        predicted: int = general["n"] + general["immature"]
        return missed > MAX_NOT_PREDICTED * (missed + predicted)

    @property
    def why_no_importance(self) -> str | None:
        """Why importance was not measured; None if it was."""
        if self.importance:
            return None
        return self.importance_reason or "the known outcomes are all alike"

    def to_json(self) -> dict[str, Any]:
        """The report as plain data, with the groups at the top level, and always the same keys."""
        return {
            "report": self.name,
            "game": self.game,
            "grain": self.grain,
            "as_of": self.as_of.isoformat(),
            "window": {"start": self.window[0].isoformat(), "end": self.window[1].isoformat()},
            "horizon_months": self.horizon_months,
            "model_version": self.model_version,
            **{name: dict(scores) for name, scores in self.groups.items()},
            "not_at_risk": self.not_at_risk,
            "validation": self.validation,
            "campaign": self.campaign and {"hold_out": None, **self.campaign},
            "comparison": self.comparison,
            "used_by_campaigns": self.used_by_campaigns,
            "no_contact": self.no_contact,
            "not_predicted": self.not_predicted,
            "left_out": self.left_out,
            "segments": dict(self.segments),
            "cohorts": list(self.cohorts),
            "survival": self.survival,
            "importance": list(self.importance),
            "importance_reason": self.why_no_importance,
            "changes": None if self.changes is None else list(self.changes),
            "libraries": dict(self.libraries),
            "inputs": dict(self.inputs),
            "facts": dict(self.facts),
            "data": {"quarantined": self.quarantined, "odd": self.odd},
            "warnings": list(self.warnings),
        }
