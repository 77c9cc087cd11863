"""Features and labels: pure functions, lazy frames in and out, point-in-time throughout."""
