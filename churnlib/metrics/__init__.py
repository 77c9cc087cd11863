"""Evaluation of predicted probabilities: metrics, intervals, segments and campaigns."""
