"""Settings of the evaluation."""

from pydantic import Field, field_validator

from churnlib.settings.fields import Section, Whole, repeated


class EvaluationSettings(Section):
    """The content of reports; these settings have no effect on models."""

    segments: tuple[str, ...] = ()
    """Columns of the standard features, such as `territory`, or of what a cohort has besides, such
    as `previous_sub_churned`, by whose values reports show the performance by segment: text, flags
    or whole numbers. New and returning characters, and the terms of subscriptions (`sub_months`),
    are always segments; at the monthly grain also `tenure_months`, `months_left` and
    `months_missed_in_a_row`."""
    most_values: Whole = Field(default=10, ge=1, le=100)
    """The number of segments of such a column, for its most frequent values; all other values are
    one segment more."""

    min_outcomes: Whole = Field(default=10, ge=1)
    """The minimum number of churned, and of other, subscriptions for a verdict on how well a model
    ranks, such as "better than chance"."""

    @property
    def segment_columns(self) -> tuple[str, ...]:
        """The columns, and the term, at whose end a subscription can churn no more."""
        return tuple(dict.fromkeys((*self.segments, "sub_months")))

    @field_validator("segments")
    @classmethod
    def _columns_once(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        if twice := repeated(columns):
            raise ValueError(f"names {twice} twice")
        return columns
