"""How good predicted probabilities are: metrics, their intervals, segments and campaigns."""
