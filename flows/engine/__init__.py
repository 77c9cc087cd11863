"""What runs the tasks: the cache and what it depends on, the server, the log."""
