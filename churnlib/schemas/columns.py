"""The names of columns that code asks for by name."""

CHAR_ID = "char_id"
SUB_ID = "sub_id"
SUB_START_DATE = "sub_start_date"

KEYS = (CHAR_ID, SUB_ID, SUB_START_DATE)
"""The columns that identify a row of a feature table; never features."""
LABEL = "sub_churn"
"""Whether a subscription churned within the horizon; null where the label is not available."""
PROBABILITY = "churn_probability"
BASELINE = "baseline_probability"
