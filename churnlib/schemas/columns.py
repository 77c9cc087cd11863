"""The names of columns that the code refers to."""

from collections.abc import Container

CHAR_ID = "char_id"
CREATION_DATE = "creation_date"
MASTERY_DATE = "class_mastery_date"

DATE = "date"
"""The day of a row of a history."""

SUB_ID = "sub_id"
SUB_START_DATE = "sub_start_date"
SUB_MONTHS = "sub_months"
PRICE = "price"

START_DATE = "start_date"
END_DATE = "end_date"
"""The first and last month of a run of missed months."""

DAY = "day"
"""The day of a row of a cohort, on which it is predicted."""
TENURE, MONTHS_LEFT = "tenure_months", "months_left"
MISSED, IN_A_ROW = "months_missed", "months_missed_in_a_row"
SINCE_MISS = "months_since_miss"
SEGMENTS_BY_MONTH = (TENURE, MONTHS_LEFT, IN_A_ROW)
"""Columns of rows by month, by which every report shows the performance."""
PREVIOUS_CHURNED = "previous_sub_churned"

SUB_ORDER = (CHAR_ID, SUB_START_DATE, SUB_ID)
"""The order of subscriptions; a cohort is sorted by the day, too."""
KEYS = (CHAR_ID, SUB_ID, SUB_START_DATE, DAY)
"""The columns that identify a row of a cohort; never features."""
LABEL = "sub_churn"
"""Whether a subscription churned within the horizon; null if the label is not yet available."""
PROBABILITY = "churn_probability"
BASELINE = "baseline_probability"
PREVIOUS = "previous_probability"

CAMPAIGN, CAMPAIGN_WEIGHT = "campaign", "campaign_weight"
"""What a campaign did about a row of a cohort within its horizon, which is not known on its day."""
NEVER_FEATURES = frozenset({*KEYS, "churned_on", LABEL, CAMPAIGN, CAMPAIGN_WEIGHT})
"""Columns of a cohort that are never features: keys, and what is known only later."""


def milestone_features(name: str) -> tuple[str, str]:
    """The names of the features of a milestone: whether it is reached, and the months until then.

    >>> milestone_features("guild_joined")
    ('is_guild_joined', 'months_to_guild_joined')
    """
    if name == MASTERY_DATE:
        return "is_mastered", "months_to_mastery"
    return f"is_{name}", f"months_to_{name}"


def date_feature(name: str) -> str:
    """The name of the feature of a date: the months from it to the day of the row."""
    return f"{name}_months"


def day_column(columns: Container[str]) -> str:
    """The column of the day of each row: `day`, or the start in rows of subscriptions."""
    return DAY if DAY in columns else SUB_START_DATE
