"""The names of columns that the code refers to."""

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

KEYS = (CHAR_ID, SUB_ID, SUB_START_DATE)
"""The columns that identify a row of a feature table; never features."""
SUB_ORDER = (CHAR_ID, SUB_START_DATE, SUB_ID)
"""The order of the rows of a feature table."""
LABEL = "sub_churn"
"""Whether a subscription churned within the horizon; null if the label is not yet available."""
PROBABILITY = "churn_probability"
BASELINE = "baseline_probability"


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
