"""The orchestration: a module per flow, and the one task decorator."""
