"""Settings of the evaluation."""

from pydantic import Field, field_validator

from churnlib.settings.parts import Section, Whole


class EvaluationSettings(Section):
    """What reports tell apart; no setting here changes a model."""

    segments: tuple[str, ...] = ()
    """Columns of the standard features, such as `territory`, by whose values reports score the
    subscriptions apart: text, flags or whole numbers. New and returning characters always are."""
    most_values: Whole = Field(default=10, ge=1, le=100)
    """How many values of such a column are told apart, the most frequent ones; the others stand
    together."""

    @field_validator("segments")
    @classmethod
    def _columns_once(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({column for column in columns if columns.count(column) > 1}):
            raise ValueError(f"names {', '.join(twice)} twice")
        return columns
