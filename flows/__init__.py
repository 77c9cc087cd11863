"""The orchestration: a module per flow, and the one task decorator."""

from flows.engine.memory import use_few_arenas

use_few_arenas()  # Before NumPy and Polars are imported.
