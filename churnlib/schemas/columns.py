"""The names of columns that code asks for by name."""

KEYS = ("char_id", "sub_id", "sub_start_date")
"""What tells a row of a feature table from all others; never a feature."""
LABEL = "sub_churn"
"""Whether a subscription churned within the horizon; null where the label is not available."""
PROBABILITY = "churn_probability"
BASELINE = "baseline_probability"
