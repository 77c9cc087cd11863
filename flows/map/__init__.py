"""The map of the pipelines, drawn from the code: what `churn map` writes."""
