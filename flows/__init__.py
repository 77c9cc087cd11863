"""The orchestration: a module per flow, and the one task decorator."""

from flows.engine.memory import use_one_arena

use_one_arena()  # Before NumPy is imported, which starts threads.
