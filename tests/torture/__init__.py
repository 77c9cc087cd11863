"""Kill tests: runs that are killed anywhere leave nothing wrong behind, and can be repeated."""
