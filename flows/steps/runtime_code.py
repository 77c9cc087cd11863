"""Code and files that tasks find only at run time, so that each task has to name them in `uses`."""

MODEL_CODE = ("churnlib.model", "churnlib.metrics", "churnlib.versions")
"""The code behind models: the configuration names estimators, and model files name classes."""
REPORT_CODE = (*MODEL_CODE, "churnlib/report/page")
"""The code behind reports on a model, and the template of their page."""
