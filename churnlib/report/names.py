"""What figures and baselines are called, in every format."""

FIGURES = {
    "base_rate": "base rate",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "lift_top_decile": "lift, top tenth",
    "log_loss": "log loss",
    "brier": "Brier score",
    "expected_calibration_error": "calibration error",
}
"""What each figure is called."""
COMPARED = ("roc_auc", "average_precision", "log_loss", "brier")
"""The figures in which a model is held against another."""
BASELINES = {"logistic_regression": "logistic regression", "base_rate": "base rate for all"}
"""What each baseline is called."""
