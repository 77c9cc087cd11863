"""The command line `churn`."""
